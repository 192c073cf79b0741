// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of configuration files are what is tested
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { showLag } from '../../src/cli/actions/offsetsLag.ts';
import { PostgresStore } from '../../src/offsets/stores/postgres/index.ts';
import { postgresService, type TestDatabase } from '../services/index.ts';
import { folderWith } from '../unit/config/files.ts';

const yaml = `pipeline: readings
source:
  mode: receiver
  receivers: [{type: http, name: web, port: 0}]
wal: {dir: ./wal}
sink: {type: postgres, connectionString: "\${DATABASE_URL}", table: readings, columns: {reading: $value}}
`;
const web = { topic: 'receiver:web@0b5d1a2c-7a1e-4a5f-9c39-2f6d5b1f0c11', partition: 0 };

let database: TestDatabase;

beforeAll(async () => {
  const postgres = await postgresService();
  database = await postgres.createDatabase('receiverLag');
});

afterAll(() => database.drop());

/** Runs `offsets lag --json` on the file, in this process. */
async function lag(failOver: bigint | undefined) {
  const folder = await folderWith({ 'readings.yaml': yaml });
  let written = '';
  const command = { file: join(folder, 'readings.yaml'), json: true, topics: [], failOver };
  const code = await showLag(command, {
    environment: { DATABASE_URL: database.url },
    version: '',
    isErrTty: false,
    out: (text) => {
      written += text;
    },
    err: () => {},
    exit: () => {
      throw new Error('the action does not end the process');
    },
    finish: () => {},
    hide: () => {},
    redact: (text) => text,
  });
  return { code, ...(JSON.parse(written) as { readonly partitions: readonly object[] }) };
}

test('offsets lag of a pipeline without Kafka shows the ledger, and a threshold that cannot be judged is not passed', async () => {
  expect(await lag(undefined)).toMatchObject({ code: 0, partitions: [] });

  const store = new PostgresStore({ connectionString: database.url, pipeline: 'readings', schema: 'tidemark' });
  await store.open();
  await store.initialise([{ ...web, topicId: 'an open id', nextOffset: 7n }]);
  await store.close();

  expect(await lag(undefined)).toMatchObject({
    code: 0,
    partitions: [{ ...web, storedOffset: '7', state: 'running' }],
  });
  expect(await lag(1000n)).toMatchObject({ code: 5 });
});
