import { expect, test } from 'vitest';
import { isTidemarkError, type TidemarkError } from '../../src/errors.ts';
import {
  createDriver,
  type KafkaClientOptions,
  type KafkaDriver,
  type KafkaSaslOptions,
  readRange,
} from '../../src/kafka/index.ts';
import { OffsetRange } from '../../src/model/index.ts';
import { encodeRecordBatch } from '../../src/testkit/index.ts';
import { type KafkaSecurity, type KafkaService, kafkaService, topicPrefix } from '../services/index.ts';
import { rawProducer } from './rawProducer.ts';

export const passwordMechanisms = ['plain', 'scram-sha-256', 'scram-sha-512'];
export const mechanisms = [...passwordMechanisms, 'oauthbearer'];

/** A broker with TLS and SASL, one topic with records, and a driver's ways to them. */
export interface SecuredBroker {
  readonly kafka: KafkaService;
  readonly security: KafkaSecurity;
  readonly topic: string;
  readonly values: readonly string[];
  withDriver<T>(options: KafkaClientOptions, use: (driver: KafkaDriver) => Promise<T>): Promise<T>;
  /** Connects and closes again. */
  connects(options: KafkaClientOptions): Promise<void>;
  /** The values of all records of the topic. */
  readAll(driver: KafkaDriver): Promise<(string | null)[]>;
  sasl(mechanism: string, user: { username: string; password: string }): KafkaSaslOptions;
}

/** An owned broker whose sessions end after `sessionMs`; the driver is the one that `client` names. */
export async function securedBroker(client: Partial<KafkaClientOptions>, sessionMs: number): Promise<SecuredBroker> {
  const config = { 'connections.max.reauth.ms': String(sessionMs) };
  const kafka = await kafkaService({ owned: true, listeners: 'secured', config });
  const { security } = kafka;
  if (security === undefined) throw new Error('a secured broker has no security');
  const topic = `${topicPrefix()}secured`;
  const values = ['one', 'two', 'three'];
  await kafka.createTopic(topic, { partitions: 1 });
  const producer = await rawProducer(kafka.brokers);
  await producer.append(topic, 0, encodeRecordBatch({ baseOffset: 0n, records: values.map((value) => ({ value })) }));
  producer.close();

  const withDriver: SecuredBroker['withDriver'] = async (options, use) => {
    const driver = await createDriver({ connectTimeoutMs: 2_000, ...client, ...options });
    try {
      await driver.connect();
      return await use(driver);
    } finally {
      await driver.close();
    }
  };
  return {
    kafka,
    security,
    topic,
    values,
    withDriver,
    connects: (options) => withDriver(options, async () => {}),
    readAll: async (driver) => {
      const [description] = await driver.describeTopics([topic]);
      const range = new OffsetRange(topic, 0, 0n, BigInt(values.length));
      const found: (string | null)[] = [];
      const fetcher = driver.openFetcher();
      for await (const chunk of readRange(fetcher, { topicId: description?.topicId ?? '', range })) {
        for (const cursor = chunk.cursor(); cursor.next(); ) found.push(cursor.record().text());
      }
      await fetcher.close();
      return found;
    },
    sasl: (mechanism, user) => {
      if (mechanism === 'oauthbearer') return { mechanism, token: async () => security.token(user.username) };
      return { mechanism: mechanism as 'plain', ...user };
    },
  };
}

/** The error of ours that a piece of work rejects with. */
export async function refusal(work: Promise<unknown>): Promise<TidemarkError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isTidemarkError(error)) throw new Error(`not refused with an error of ours: ${String(error)}`);
  return error;
}

/** What every driver reads, by every way to be let in. */
export function securedReadingTests(broker: () => SecuredBroker): void {
  test('over TLS with the authority given', async () => {
    const { withDriver, readAll, security, values } = broker();
    expect(await withDriver({ brokers: [security.ssl], ssl: { ca: security.ca } }, readAll)).toEqual(values);
  });

  test('over TLS without looking at the certificate', async () => {
    const { withDriver, readAll, security, values } = broker();
    expect(await withDriver({ brokers: [security.ssl], ssl: { rejectUnauthorized: false } }, readAll)).toEqual(values);
  });

  test.each(mechanisms)('as a user of %s, with TLS and without', async (mechanism) => {
    const { withDriver, readAll, security, values, sasl } = broker();
    const identity = sasl(mechanism, security.powerful);
    expect(await withDriver({ brokers: [security.saslPlaintext], sasl: identity }, readAll)).toEqual(values);
    const ssl = { ca: security.ca };
    expect(await withDriver({ brokers: [security.saslSsl], sasl: identity, ssl }, readAll)).toEqual(values);
  });

  test('with a token that is given as it is', async () => {
    const { withDriver, readAll, security, values } = broker();
    const identity: KafkaSaslOptions = { mechanism: 'oauthbearer', token: security.token() };
    expect(await withDriver({ brokers: [security.saslPlaintext], sasl: identity }, readAll)).toEqual(values);
  });
}
