import { afterAll, beforeAll, expect, it } from 'vitest';
import { type KafkaService, kafkaService, postgresService, type TestDatabase } from '../services/index.ts';
import { availableWays } from './memberships.ts';
import { proofCluster, runProof } from './proof.ts';
import { membersMax } from './schedule.ts';

const durationMs = 90_000;
/** Beside the load: brokers that come back, everybody reading to the end, the log read again. */
const restMs = 300_000;

let kafka: KafkaService;
let database: TestDatabase;

beforeAll(async () => {
  const [cluster, postgres] = await Promise.all([kafkaService(proofCluster), postgresService()]);
  kafka = cluster;
  database = await postgres.createDatabase('proof');
}, 120_000);

afterAll(async () => {
  await kafka?.stop();
  await database?.drop();
});

it(
  'processes of a group come, go, die, freeze and are cut off under load: every record is there once, in order',
  async () => {
    const seed = Number(process.env.TIDEMARK_SEED ?? Math.floor(Math.random() * 1_000_000));
    const ways = availableWays();
    const { name, way } = ways[seed % ways.length] ?? expect.fail('no driver can be a member');
    const lines: string[] = [];
    const beganMs = performance.now();
    const say = (line: string) => {
      lines.push(`${((performance.now() - beganMs) / 1_000).toFixed(1).padStart(6)} s  ${line}`);
    };
    say(`${name}, seed ${seed} (again with TIDEMARK_SEED=${seed})`);
    const result = await runProof({ kafka, database, way, seed, durationMs, recordsPerSecond: 5_000, say })
      .then((proved) => {
        say(`kept: ${proved.records} records, no gap, no duplicate, in order; seed ${seed}`);
        say(`faults: ${JSON.stringify(proved.faults)}`);
        say(`the group: ${JSON.stringify(proved.rebalances)}`);
        return proved;
      })
      .finally(() => console.log(lines.join('\n')));
    expect(Object.keys(result.faults).sort()).toEqual(['cut', 'freeze', 'isolate', 'kill', 'killLeader']);
    expect(result.rebalances.generations).toBeGreaterThan(membersMax);
    expect(result.rebalances["claims of another's partition"]).toBeGreaterThan(0);
  },
  durationMs + restMs,
);
