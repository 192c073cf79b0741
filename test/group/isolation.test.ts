import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KafkaRoute, type KafkaService, kafkaService, postgresService } from '../services/index.ts';
import { kafkaDriverEnvironment } from '../support/kafkaDriverEnvironment.ts';
import {
  errorOf,
  type GroupTrialSetting,
  groupTestMs,
  groupTrial,
  heldBy,
  instanceIdOf,
  told,
  usualSessionMs,
} from './groupTrial.ts';
import { needsWay, ways } from './memberships.ts';

let kafka: KafkaService;
let setting: GroupTrialSetting;
let close: () => Promise<void>;

beforeAll(async () => {
  // A way of its own for each process that is to be cut off.
  const [owned, postgres] = await Promise.all([kafkaService({ owned: true, routes: ways.length }), postgresService()]);
  kafka = owned;
  const { brokers } = kafka;
  const [environment, database] = await Promise.all([
    kafkaDriverEnvironment(brokers),
    postgres.createDatabase('isolation'),
  ]);
  setting = { environment, brokers, database };
  close = async () => {
    await environment.close();
    await database.drop();
  };
});

afterAll(async () => {
  await close?.();
  await kafka?.stop();
});

describe.concurrent('a process that is cut off from the brokers and not from the database', {
  timeout: groupTestMs,
}, () => {
  it.for(ways.map((one, number) => ({ ...one, number })))(
    '$name: is fenced, does not claim back, and returns when it may',
    async ({ way, number }, context) => {
      needsWay(context, way);
      const route = kafka.routes[number] ?? expect.fail('no route');
      const trial = await groupTrial(setting, { way });
      const other = await trial.member();
      await trial.shared(other);
      const isolated = await trial.member({ brokers: route.brokers });
      await trial.shared(other, isolated);
      const [isolatedId, otherId] = [await instanceIdOf(isolated), await instanceIdOf(other)];
      const held = heldBy(isolated);
      const cutMs = Date.now();
      setProxies(route, 'silent');
      for (const meant of held) {
        const taken = await told(other, 'partitionClaimed', ({ partition, at }) => partition === meant && at > cutMs);
        // Who noticed by itself that the brokers are gone has given the row back, or left it to its successor.
        expect([undefined, isolatedId]).toContain(taken.previousOwner);
        const fenced = await told(
          isolated,
          'partitionFenced',
          ({ partition, at }) => partition === meant && at > cutMs,
        );
        if (errorOf(fenced).code === 'LEDGER_FENCED') expect(errorOf(fenced).message).toContain(otherId);
        else expect(errorOf(fenced).code).toBe('GROUP_MEMBERSHIP_LOST');
      }
      // Longer than any pause before another look at a disputed claim.
      const quietMs = Date.now();
      await told(other, 'rangeCommitted', ({ at }) => at > quietMs + usualSessionMs);
      expect(isolated.events('partitionClaimed').filter(({ at }) => at > cutMs)).toEqual([]);
      expect(isolated.events('rangeCommitted').filter(({ at }) => at > quietMs)).toEqual([]);
      setProxies(route, 'open');
      await trial.shared(other, isolated);
      await trial.finishWith(other, isolated);
    },
  );
});

function setProxies({ proxies }: KafkaRoute, state: 'silent' | 'open'): void {
  for (const proxy of proxies) {
    if (state === 'silent') proxy.pause();
    else proxy.resume();
  }
}
