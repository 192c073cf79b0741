/** The workloads that fill a table from a backlog. */
import { BenchTable, parsedColumns, rawColumns } from '../benchTable.ts';
import type { Environment } from '../environment.ts';
import { copyFile, rival, tidemark } from './contestants.ts';
import type { Workload } from './workload.ts';

/** Loads a text file once, unmeasured: the server's WAL files then exist, and the binary file can be made from the table. */
async function warmUp(environment: Environment, table: BenchTable, textFile: string): Promise<void> {
  await table.create();
  await environment.psql.run(`\\copy ${table.name} FROM '${textFile}' (FORMAT text)`);
}

export const raw: Workload = {
  name: 'raw',
  title: 'raw: (partition, offset, payload), no index',
  open: async (environment) => {
    const table = new BenchTable(environment, 'raw', rawColumns);
    await warmUp(environment, table, await environment.rawTextFile());
    const binaryFile = await environment.binaryFileOf(table.name);
    await environment.filledTopic();
    return {
      contestants: [
        tidemark(environment, table),
        copyFile(environment, table, 'text', () => environment.rawTextFile()),
        copyFile(environment, table, 'binary', async () => binaryFile),
        rival(environment, table, false),
      ],
    };
  },
};

export const rawKeyed: Workload = {
  name: 'rawKeyed',
  title: 'raw with primary key (partition, offset)',
  open: async (environment) => {
    const table = new BenchTable(environment, 'raw_keyed', rawColumns, ['partition', 'offset']);
    await warmUp(environment, table, await environment.rawTextFile());
    await environment.filledTopic();
    return {
      contestants: [
        tidemark(environment, table),
        copyFile(environment, table, 'text', () => environment.rawTextFile()),
        rival(environment, table, false),
      ],
    };
  },
};

export const parsed: Workload = {
  name: 'parsed',
  title: 'parsed: JSON into 8 typed columns',
  open: async (environment) => {
    const table = new BenchTable(environment, 'parsed', parsedColumns);
    await warmUp(environment, table, await environment.parsedTextFile());
    await environment.filledTopic();
    return {
      contestants: [
        tidemark(environment, table),
        copyFile(environment, table, 'text', () => environment.parsedTextFile()),
        rival(environment, table, true),
      ],
    };
  },
};

export const exactlyOnce: Workload = {
  name: 'exactlyOnce',
  title: 'exactly-once against offsets not in the transaction',
  open: async (environment) => {
    const table = new BenchTable(environment, 'exactly_once', rawColumns);
    await warmUp(environment, table, await environment.rawTextFile());
    await environment.filledTopic();
    const contestants = [20_000, 1_000].flatMap((rows) => {
      const batch = { maxRecordsPerPartition: rows };
      const title = `${rows} rows a transaction`;
      return [
        tidemark(environment, table, { name: `inside${rows}`, title: `exactly-once, ${title}`, batch }),
        tidemark(environment, table, {
          name: `outside${rows}`,
          title: `offsets outside, ${title}`,
          batch,
          isLedgerOutside: true,
        }),
      ];
    });
    return { contestants };
  },
};
