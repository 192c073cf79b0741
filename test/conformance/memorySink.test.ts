import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { sinkConformance } from '../../src/testkit/index.ts';
import { memoryDatabaseTarget, sinkTraits } from '../support/memoryDatabases.ts';

describe('the sink of the memory database', () => {
  sinkConformance({ test, assert, environment: { ...sinkTraits, newTarget: async () => memoryDatabaseTarget() } });
});
