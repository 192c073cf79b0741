import { afterEach, describe, expect, test, vi } from 'vitest';
import { kafkaService, postgresService, redisService, stopServices, topicPrefix } from '../services/index.ts';

describe('a service named by a variable', () => {
  const said: string[] = [];
  const say = (line: string) => said.push(line);

  afterEach(async () => {
    vi.unstubAllEnvs();
    await stopServices();
    said.length = 0;
  });

  test('is taken as it is, and serves', async () => {
    const [kafka, postgres] = [await kafkaService(), await postgresService()];
    vi.stubEnv('TIDEMARK_TEST_SERVICES', undefined);
    vi.stubEnv('KAFKA_BROKERS', kafka.brokers.join(', '));
    vi.stubEnv('DATABASE_URL', postgres.url);

    const named = await kafkaService({ say });
    expect([named.brokers, named.provider]).toEqual([kafka.brokers, 'KAFKA_BROKERS']);
    const topic = `${topicPrefix()}named`;
    await named.createTopic(topic, { partitions: 1 });
    await named.deleteTopic(topic);
    await expect(named.killBroker(1)).rejects.toThrow('owned: true');
    await named.stop();

    const database = await (await postgresService({ say })).createDatabase();
    await database.drop();
    expect(said.map((line) => line.split(',')[0])).toEqual([
      'kafka: brokers of KAFKA_BROKERS',
      'postgres: server of DATABASE_URL',
    ]);
  });

  test.each([
    ['KAFKA_BROKERS', '127.0.0.1:1', () => kafkaService({ say })],
    ['DATABASE_URL', 'postgresql://postgres@127.0.0.1:1/postgres', () => postgresService({ say })],
    ['REDIS_URL', 'redis://127.0.0.1:1', () => redisService({ say })],
  ])('%s that leads nowhere is an error, not another provider', async (variable, value, take) => {
    vi.stubEnv('TIDEMARK_TEST_SERVICES', undefined);
    vi.stubEnv(variable, value);
    await expect(take()).rejects.toThrow(/variable provider: .*127\.0\.0\.1:1/);
  });
});

describe('options of an owned service', () => {
  test('are refused for the shared one', async () => {
    await expect(kafkaService({ brokers: 3 })).rejects.toThrow('kafkaService: brokers needs owned: true');
  });
});
