import assert from 'node:assert/strict';
import { afterAll, describe, test } from 'vitest';
import { storeConformance } from '../../src/testkit/index.ts';
import { pgbouncerService, postgresService, skipWithout } from '../services/index.ts';
import { LedgerPlaces } from '../support/ledgerPlaces.ts';

describe('the PostgreSQL ledger', async () => {
  const service = await postgresService();
  const database = await service.createDatabase('store');
  const places = new LedgerPlaces(database.url);
  await places.open();
  afterAll(async () => {
    await places.close();
    await database.drop();
  });
  storeConformance({
    test,
    assert,
    environment: {
      capabilities: { fenced: true, history: true, controls: true },
      newPlace: () => places.newPlace(),
    },
  });
});

describe('the PostgreSQL ledger behind PgBouncer in transaction mode', async () => {
  const service = await postgresService();
  const database = await service.createDatabase('bouncer');
  const bouncer = await pgbouncerService(database.url);
  const places = new LedgerPlaces(database.url, 'missing' in bouncer ? database.url : bouncer.url);
  await places.open();
  afterAll(async () => {
    await places.close();
    if (!('missing' in bouncer)) await bouncer.stop();
    await database.drop();
  });
  storeConformance({
    test: (name, run) => {
      test(name, async (context) => {
        if ('missing' in bouncer) skipWithout(context, 'pgbouncer', bouncer.missing);
        await run();
      });
    },
    assert,
    environment: {
      capabilities: { fenced: true, history: true, controls: true },
      newPlace: () => places.newPlace(),
    },
  });
});
