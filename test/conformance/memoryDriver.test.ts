import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { driverConformance } from '../../src/testkit/index.ts';
import { memoryDriverEnvironment } from '../support/memoryDriverEnvironment.ts';

describe('the driver of the memory cluster', () => {
  driverConformance({ test, assert, environment: memoryDriverEnvironment() });
});
