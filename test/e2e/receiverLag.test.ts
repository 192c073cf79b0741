// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of configuration files are what is tested
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PostgresStore } from '../../src/offsets/stores/postgres/index.ts';
import { postgresService, type TestDatabase } from '../services/index.ts';
import { commandHere } from '../support/commandHere.ts';
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
async function lag(...options: readonly string[]) {
  const folder = await folderWith({ 'readings.yaml': yaml });
  const args = ['offsets', 'lag', '--json', ...options, join(folder, 'readings.yaml')];
  const { code, stdout } = await commandHere(args, { environment: { DATABASE_URL: database.url } });
  return { code, ...(JSON.parse(stdout) as { readonly partitions: readonly object[] }) };
}

test('offsets lag of a pipeline without Kafka shows the ledger, and a threshold that cannot be judged is not passed', async () => {
  expect(await lag()).toMatchObject({ code: 0, partitions: [] });

  const store = new PostgresStore({ connectionString: database.url, pipeline: 'readings', schema: 'tidemark' });
  await store.open();
  await store.initialise([{ ...web, topicId: 'an open id', nextOffset: 7n }]);
  await store.close();

  expect(await lag()).toMatchObject({
    code: 0,
    partitions: [{ ...web, storedOffset: '7', state: 'running' }],
  });
  expect(await lag('--fail-over', '1000')).toMatchObject({ code: 5 });
});
