import assert from 'node:assert/strict';
import { afterAll, describe, test } from 'vitest';
import { type SinkEnvironment, sinkConformance } from '../../src/testkit/index.ts';
import { postgresService } from '../services/index.ts';
import {
  type MakeSink,
  makeCopySink,
  makeFunctionSink,
  PostgresTargets,
  refusedValue,
} from '../support/postgresTarget.ts';

const service = await postgresService();

function sinkSuite(make: MakeSink, traits: Omit<SinkEnvironment, 'newTarget' | 'refusedValue'>) {
  return async () => {
    const database = await service.createDatabase('sink');
    const targets = new PostgresTargets(database, make);
    await targets.open();
    afterAll(async () => {
      await targets.close();
      await database.drop();
    });
    sinkConformance({ test, assert, environment: { newTarget: () => targets.newTarget(), refusedValue, ...traits } });
  };
}

describe(
  'the PostgreSQL sink through COPY',
  sinkSuite(makeCopySink, { unstorableValue: 'a NUL \0', namesRefused: true }),
);

describe(
  'the PostgreSQL function sink',
  sinkSuite(makeFunctionSink, { unstorableValue: undefined, namesRefused: false }),
);
