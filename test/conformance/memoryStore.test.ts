import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { storeConformance } from '../../src/testkit/index.ts';
import { memoryLedgerPlace, storeTraits } from '../support/memoryDatabases.ts';

describe('the store of the memory database', () => {
  const newPlace = async () => memoryLedgerPlace();
  storeConformance({ test, assert, environment: { capabilities: storeTraits, newPlace } });
});
