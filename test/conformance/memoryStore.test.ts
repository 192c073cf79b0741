import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { MemoryDatabase, storeConformance } from '../../src/testkit/index.ts';

describe('the store of the memory database', () => {
  storeConformance({
    test,
    assert,
    environment: {
      capabilities: { fenced: true, history: true, controls: true },
      newPlace: async () => {
        const database = new MemoryDatabase();
        return {
          newStore: (pipeline) => database.store(pipeline),
          moveByHand: async (pipeline, of, nextOffset) => database.moveByHand(pipeline, of, nextOffset),
          removeByHand: async (pipeline, of) => database.removeByHand(pipeline, of),
          writeControl: async (pipeline, control) => {
            database.order(pipeline, control);
          },
        };
      },
    },
  });
});
