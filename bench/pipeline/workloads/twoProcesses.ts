import { BenchTable, rawColumns } from '../benchTable.ts';
import { type ChildReport, type CommitSeen, reportOf } from '../childProcess.ts';
import type { Environment } from '../environment.ts';
import { inEmptyTable, pipelineOptions } from './contestants.ts';
import type { Contestant, Workload } from './workload.ts';

type Report = ChildReport & { readonly commits: readonly CommitSeen[] };

/** Quick, because a run takes seconds: the first member learns of the second by its next heartbeat. */
const group = { heartbeatIntervalMs: 100, sessionTimeoutMs: 6_000 };

/** One process of a group, and two that share its partitions. */
export const twoProcesses: Workload = {
  name: 'twoProcesses',
  title: 'two processes of a group against one',
  open: async (environment) => {
    const table = new BenchTable(environment, 'two_processes', rawColumns);
    await table.create();
    await environment.filledTopic();
    return { contestants: [processes(environment, table, 1, 'one'), processes(environment, table, 2, 'two')] };
  },
};

function processes(environment: Environment, table: BenchTable, count: number, name: string): Contestant {
  const title = `tidemark, assignment: group, ${name}`;
  return {
    name,
    title,
    isOurs: true,
    measure: inEmptyTable(environment, table, title, async () => {
      const topic = await environment.filledTopic();
      const options = pipelineOptions(environment, table, topic.name, { assignment: 'group', group });
      const task = { options, until: 'end', isLedgerOutside: false, tellsCommits: true };
      const reports = await Promise.all(
        Array.from({ length: count }, () => reportOf('pipeline.mjs', task) as Promise<Report>),
      );
      return {
        ...whileAllWork(reports.map(({ commits }) => commits)),
        peakRssBytes: Math.max(...reports.map(({ peakRssBytes }) => peakRssBytes)),
      };
    }),
  };
}

/** From when the last process has made its first commit to when the first one makes its last: joining stands apart. */
function whileAllWork(commitsOf: readonly (readonly CommitSeen[])[]) {
  const startedMs = Math.max(...commitsOf.map((commits) => commits.at(0)?.[3] ?? Number.NaN));
  const endedMs = Math.min(...commitsOf.map((commits) => commits.at(-1)?.[3] ?? Number.NaN));
  let records = 0;
  for (const [, fromOffset, untilOffset, committedMs] of commitsOf.flat()) {
    if (committedMs > startedMs && committedMs <= endedMs) records += untilOffset - fromOffset;
  }
  if (!(endedMs > startedMs)) throw new Error('the processes did not work at the same time');
  return { records, seconds: (endedMs - startedMs) / 1_000 };
}
