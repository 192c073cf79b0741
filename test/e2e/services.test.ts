import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { kafkaService, postgresService, topicPrefix } from '../services/index.ts';

describe('shared services', () => {
  test('Kafka makes and deletes a topic', async () => {
    const kafka = await kafkaService();
    const topic = `${topicPrefix()}orders`;
    await kafka.createTopic(topic, { partitions: 3 });
    await expect(kafka.createTopic(topic, { partitions: 3 })).rejects.toThrow(`${topic} exists already`);
    await kafka.deleteTopic(topic);
    await kafka.createTopic(topic, { partitions: 1 });
    await kafka.deleteTopic(topic);
  });

  test('PostgreSQL gives every test a database of its own', async () => {
    const postgres = await postgresService();
    const [one, two] = await Promise.all([postgres.createDatabase(), postgres.createDatabase()]);
    expect(one.name).not.toBe(two.name);
    const client = new pg.Client({ connectionString: one.url });
    await client.connect();
    const { rows } = await client.query('SELECT current_database() AS name');
    expect(rows).toEqual([{ name: one.name }]);
    await client.end();
    await Promise.all([one.drop(), two.drop()]);
  });
});
