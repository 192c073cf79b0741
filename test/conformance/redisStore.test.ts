import assert from 'node:assert/strict';
import { afterAll, describe, test } from 'vitest';
import { storeConformance } from '../../src/testkit/index.ts';
import { redisService, skipWithout } from '../services/index.ts';
import { findProgram } from '../services/programs.ts';
import { RedisPlaces } from '../support/redisPlaces.ts';
import { redisServers, startCluster } from '../support/redisServers.ts';

const capabilities = { fenced: true, history: true, controls: true } as const;

describe('the Redis ledger', async () => {
  const { url } = await redisService();
  const places = new RedisPlaces(url);
  afterAll(() => places.close());
  storeConformance({ test, assert, environment: { capabilities, newPlace: () => places.newPlace() } });
});

describe('the Redis ledger in a cluster', async () => {
  const isMissing = findProgram('redis-server') === undefined;
  const servers = redisServers();
  const places = isMissing ? undefined : new RedisPlaces(await startCluster(servers));
  afterAll(async () => {
    await places?.close();
    await servers.stop();
  });
  storeConformance({
    test: (name, run) => {
      test(name, async (context) => {
        if (isMissing) skipWithout(context, 'redis-server', 'a cluster needs an installed one');
        await run();
      });
    },
    assert,
    environment: {
      capabilities,
      newPlace: async () => {
        if (places === undefined) throw new Error('no cluster');
        return places.newPlace();
      },
    },
  });
});
