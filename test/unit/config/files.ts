import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A folder with the files, gone when the test is over. */
export async function folderWith(files: Readonly<Record<string, string | Buffer>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-config-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  return folder;
}

/** Receivers bring the records, no topic. */
export const receiverYaml = `pipeline: readings
source:
  mode: receiver
  maxRate: 100
  sharedRate: {redisUrl: "\${REDIS_URL}"}
  receivers:
    - {type: http, name: web, port: 8090}
    - type: socket
      name: sensors
      host: \${SENSORS_HOST}
      port: 9999
wal: {dir: ./wal}
sink:
  type: postgres
  connectionString: \${DATABASE_URL}
  table: public.readings
  columns: {reading: $value}
`;

export const goodYaml = `pipeline: orders
kafka:
  brokers: [localhost:9092]
source:
  topics: [orders]
sink:
  type: postgres
  connectionString: \${DATABASE_URL}
  table: public.orders
  columns: {id: $value.id}
`;
