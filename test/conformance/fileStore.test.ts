import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, test } from 'vitest';
import { FileStore } from '../../src/offsets/stores/file/index.ts';
import { storeConformance } from '../../src/testkit/index.ts';

describe('the file store', async () => {
  const root = await mkdtemp(join(tmpdir(), 'tidemark-files-'));
  const stores: FileStore[] = [];
  afterAll(async () => {
    await Promise.all(stores.map((store) => store.close()));
    await rm(root, { recursive: true });
  });
  let places = 0;
  storeConformance({
    test,
    assert,
    environment: {
      capabilities: { fenced: false, history: false, controls: false },
      newPlace: async () => {
        places += 1;
        const dir = join(root, `place-${places}`, 'offsets');
        return {
          newStore: (pipeline) => {
            const store = new FileStore({ dir, pipeline });
            stores.push(store);
            return store;
          },
          moveByHand: async () => {},
          removeByHand: async () => {},
        };
      },
    },
  });
});
