import { availableWays } from '../group/memberships.ts';
import { proofCluster, runProof } from '../group/proof.ts';
import { kafkaService, postgresService } from '../services/index.ts';

export interface GroupSoakOptions {
  /** For each protocol. */
  readonly minutes: number;
  readonly seed: number;
  readonly recordsPerSecond: number;
  /** `all` that can be had on this machine, or names as `kafkajs:eager,confluent:consumer`. */
  readonly protocols: string;
  readonly say: (line: string) => void;
}

/** The proof of test/group for longer and with more load, with one way of being a member after the other. */
export async function soakGroups(options: GroupSoakOptions): Promise<number> {
  const { say, seed, minutes, recordsPerSecond } = options;
  const available = availableWays();
  const wanted = options.protocols === 'all' ? available.map(({ name }) => name) : options.protocols.split(',');
  const missing = wanted.filter((name) => !available.some((one) => one.name === name));
  if (missing.length > 0) {
    say(`not to be had here: ${missing}; there is ${available.map(({ name }) => name)}`);
    return 2;
  }
  let broken = 0;
  for (const { name, way } of available.filter((one) => wanted.includes(one.name))) {
    // A cluster of its own for each: what one leaves behind in logs and memory would slow down the next.
    const [kafka, postgres] = await Promise.all([
      kafkaService({ ...proofCluster, say }),
      postgresService({ owned: true, say }),
    ]);
    say(`${name}, ${minutes} minutes, ${recordsPerSecond} records/s, seed ${seed}`);
    try {
      const database = await postgres.createDatabase('soak');
      const durationMs = minutes * 60_000;
      const result = await runProof({ kafka, database, way, seed, durationMs, recordsPerSecond, say });
      say(`kept with ${name}: ${result.records} records, no gap, no duplicate, in order; seed ${seed}`);
      say(`faults: ${JSON.stringify(result.faults)}`);
      say(`the group: ${JSON.stringify(result.rebalances)}`);
    } catch (error) {
      say((error as Error).message);
      broken += 1;
    }
    await Promise.all([kafka.stop(), postgres.stop()]);
  }
  return broken === 0 ? 0 : 1;
}
