import assert from 'node:assert/strict';
import { afterAll, describe, test } from 'vitest';
import { sinkConformance } from '../../src/testkit/index.ts';
import { postgresService } from '../services/index.ts';
import { makeCopySink, makeFunctionSink, PostgresTargets, refusedValue } from '../support/postgresTarget.ts';

const service = await postgresService();

describe('the PostgreSQL sink through COPY', async () => {
  const database = await service.createDatabase('sink');
  const targets = new PostgresTargets(database, makeCopySink);
  await targets.open();
  afterAll(async () => {
    await targets.close();
    await database.drop();
  });
  sinkConformance({
    test,
    assert,
    environment: {
      newTarget: () => targets.newTarget(),
      unstorableValue: 'a NUL \0',
      refusedValue,
      namesRefused: true,
    },
  });
});

describe('the PostgreSQL function sink', async () => {
  const database = await service.createDatabase('sink');
  const targets = new PostgresTargets(database, makeFunctionSink);
  await targets.open();
  afterAll(async () => {
    await targets.close();
    await database.drop();
  });
  sinkConformance({
    test,
    assert,
    environment: {
      newTarget: () => targets.newTarget(),
      unstorableValue: undefined,
      refusedValue,
      namesRefused: false,
    },
  });
});
