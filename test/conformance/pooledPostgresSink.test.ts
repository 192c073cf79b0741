import assert from 'node:assert/strict';
import { Client } from 'pg';
import { afterAll, describe, test } from 'vitest';
import { createPostgresSink } from '../../src/sinks/postgres/index.ts';
import { type SinkTarget, sinkConformance } from '../../src/testkit/index.ts';
import { chunk, failureOf, startProcess, write } from '../../src/testkit/sinkConformance/process.ts';
import { pgbouncerService, postgresService } from '../services/index.ts';
import { skipWithout } from '../services/skipping.ts';
import {
  type MakeSink,
  makeCopySink,
  makeFunctionSink,
  PostgresTargets,
  refusedValue,
} from '../support/postgresTarget.ts';
import { sinkOptions } from '../support/sinkOptions.ts';

/** Two server connections for everybody: sessions really are shared, and nothing may be left in one. */
describe('behind PgBouncer in transaction mode', async () => {
  const database = await (await postgresService()).createDatabase('pooled');
  const bouncer = await pgbouncerService(database.url);
  if ('missing' in bouncer) {
    test('the PostgreSQL sink', (context) => skipWithout(context, 'pgbouncer', bouncer.missing));
    return;
  }
  afterAll(async () => {
    await bouncer.stop();
    await database.drop();
  });

  test('a COPY that cannot even begin leaves the pooled sessions in order', async () => {
    const client = new Client({ connectionString: database.url });
    await client.connect();
    const make = () => client.query('CREATE TABLE coming_and_going ("offset" bigint, value text)');
    await make();
    const newSink: SinkTarget['newSink'] = (context) =>
      createPostgresSink(sinkOptions(bouncer.url, { table: 'coming_and_going' }), context);
    const process = await startProcess({ newSink });
    const large = Array.from({ length: 5_000 }, () => 'v'.repeat(100));
    for (const values of [['a'], large, ['a']]) {
      await client.query('DROP TABLE coming_and_going');
      const error = await failureOf(write(process, chunk(0, 0n, values)));
      assert.equal(error.code, 'SINK_TABLE_MISSING');
      await make();
    }
    await write(process, chunk(0, 0n, large));
    assert.deepEqual((await client.query('SELECT count(*)::int AS n FROM coming_and_going')).rows, [{ n: 5_000 }]);
    await process.close();
    await client.end();
  });

  const through =
    (makeSink: MakeSink): MakeSink =>
    (options, context) =>
      makeSink({ ...options, url: bouncer.url }, context);

  describe('the PostgreSQL sink through COPY', async () => {
    const targets = new PostgresTargets(database, through(makeCopySink), 'copy');
    await targets.open();
    afterAll(() => targets.close());
    const environment = {
      newTarget: () => targets.newTarget(),
      unstorableValue: 'a NUL \0',
      refusedValue,
      namesRefused: true,
    };
    sinkConformance({ test, assert, environment });
  });

  describe('the PostgreSQL function sink', async () => {
    const targets = new PostgresTargets(database, through(makeFunctionSink), 'function');
    await targets.open();
    afterAll(() => targets.close());
    const environment = {
      newTarget: () => targets.newTarget(),
      unstorableValue: undefined,
      refusedValue,
      namesRefused: false,
    };
    sinkConformance({ test, assert, environment });
  });
});
