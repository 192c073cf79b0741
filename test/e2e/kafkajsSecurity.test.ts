import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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
import { rawProducer } from '../support/rawProducer.ts';

const topic = `${topicPrefix()}secured`;
const values = ['one', 'two', 'three'];
let kafka: KafkaService;
let security: KafkaSecurity;

beforeAll(async () => {
  kafka = await kafkaService({ owned: true, listeners: 'secured', config: { 'connections.max.reauth.ms': '10500' } });
  if (kafka.security === undefined) throw new Error('a secured broker has no security');
  security = kafka.security;
  await kafka.createTopic(topic, { partitions: 1 });
  const producer = await rawProducer(kafka.brokers);
  await producer.append(topic, 0, encodeRecordBatch({ baseOffset: 0n, records: values.map((value) => ({ value })) }));
  producer.close();
});
afterAll(() => kafka.stop());

async function withDriver<T>(options: KafkaClientOptions, use: (driver: KafkaDriver) => Promise<T>): Promise<T> {
  const driver = await createDriver({ connectTimeoutMs: 2_000, ...options });
  try {
    await driver.connect();
    return await use(driver);
  } finally {
    await driver.close();
  }
}

async function readAll(driver: KafkaDriver): Promise<(string | null)[]> {
  const [description] = await driver.describeTopics([topic]);
  const range = new OffsetRange(topic, 0, 0n, BigInt(values.length));
  const found: (string | null)[] = [];
  for await (const chunk of readRange(driver.openFetcher(), { topicId: description?.topicId ?? '', range })) {
    for (const cursor = chunk.cursor(); cursor.next(); ) found.push(cursor.record().text());
  }
  return found;
}

async function refusal(work: Promise<unknown>): Promise<TidemarkError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isTidemarkError(error)) throw new Error(`not refused with an error of ours: ${String(error)}`);
  return error;
}

const connects = (options: KafkaClientOptions) => withDriver(options, async () => {});

function sasl(mechanism: string, user: { username: string; password: string }): KafkaSaslOptions {
  if (mechanism === 'oauthbearer') return { mechanism, token: async () => security.token(user.username) };
  return { mechanism: mechanism as 'plain', ...user };
}

const mechanisms = ['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'];

describe('reads records', () => {
  test('over TLS with the authority given', async () => {
    const found = await withDriver({ brokers: [security.ssl], ssl: { ca: security.ca } }, readAll);
    expect(found).toEqual(values);
  });

  test('over TLS without looking at the certificate', async () => {
    const found = await withDriver({ brokers: [security.ssl], ssl: { rejectUnauthorized: false } }, readAll);
    expect(found).toEqual(values);
  });

  test.each(mechanisms)('as a user of %s, with TLS and without', async (mechanism) => {
    const identity = sasl(mechanism, security.powerful);
    expect(await withDriver({ brokers: [security.saslPlaintext], sasl: identity }, readAll)).toEqual(values);
    const ssl = { ca: security.ca };
    expect(await withDriver({ brokers: [security.saslSsl], sasl: identity, ssl }, readAll)).toEqual(values);
  });

  test('with a token that is given as it is', async () => {
    const identity: KafkaSaslOptions = { mechanism: 'oauthbearer', token: security.token() };
    expect(await withDriver({ brokers: [security.saslPlaintext], sasl: identity }, readAll)).toEqual(values);
  });

  test('beyond the end of a session, by authenticating again', async () => {
    let tokens = 0;
    const token = async () => {
      tokens += 1;
      return security.token();
    };
    await withDriver(
      { brokers: [security.saslPlaintext], sasl: { mechanism: 'oauthbearer', token } },
      async (driver) => {
        const connected = tokens;
        // kafkajs authenticates again ten seconds before the end: with sessions of 10.5 s, half a second later.
        const deadline = performance.now() + 20_000;
        while (tokens === connected && performance.now() < deadline) expect(await readAll(driver)).toEqual(values);
        expect(tokens).toBeGreaterThan(connected);
        expect(await readAll(driver)).toEqual(values);
      },
    );
  });
});

describe('refuses, and says what to do about', () => {
  test.each(['plain', 'scram-sha-256', 'scram-sha-512'])('a wrong password by %s', async (mechanism) => {
    const wrong = { ...security.powerful, password: 'wrong-secret' };
    const error = await refusal(connects({ brokers: [security.saslPlaintext], sasl: sasl(mechanism, wrong) }));
    expect(error).toMatchObject({ code: 'KAFKA_AUTHENTICATION_FAILED', retriable: false });
    expect(error.message).toContain(`${security.saslPlaintext} refused to authenticate by ${mechanism.toUpperCase()}`);
    expect(error.foreignCode).toBe('SASL_AUTHENTICATION_FAILED');
    expect(error.hint).toContain('kafka.sasl');
    expect(JSON.stringify(error) + String(error.cause)).not.toContain('wrong-secret');
  });

  test('an expired token', async () => {
    const identity: KafkaSaslOptions = { mechanism: 'oauthbearer', token: security.token('alice', -60) };
    const error = await refusal(connects({ brokers: [security.saslPlaintext], sasl: identity }));
    expect(error).toMatchObject({ code: 'KAFKA_AUTHENTICATION_FAILED', retriable: false });
    expect(error.message).toContain('refused to authenticate by OAUTHBEARER');
  });

  test('a source of tokens that gives none', async () => {
    const token = async () => Promise.reject(new Error('the identity provider is down'));
    const error = await refusal(
      connects({ brokers: [security.saslPlaintext], sasl: { mechanism: 'oauthbearer', token } }),
    );
    expect(error.code).toBe('KAFKA_AUTHENTICATION_FAILED');
    expect(error.message).toContain('the identity provider is down');
  });

  test('a session that cannot be renewed', async () => {
    let tokens = 0;
    const token = async () => {
      tokens += 1;
      return tokens === 1 ? security.token() : security.token('alice', -60);
    };
    await withDriver(
      { brokers: [security.saslPlaintext], sasl: { mechanism: 'oauthbearer', token } },
      async (driver) => {
        const askUntilRefused = async () => {
          for (;;) await driver.bounds([{ topic, partition: 0 }]);
        };
        const error = await refusal(askUntilRefused());
        expect(error).toMatchObject({ code: 'KAFKA_AUTHENTICATION_FAILED', foreignCode: 'SASL_AUTHENTICATION_FAILED' });
        expect(error.message).toContain('OAUTHBEARER');
      },
    );
  });

  test('a missing user on a listener that wants one', async () => {
    const error = await refusal(connects({ brokers: [security.saslPlaintext] }));
    expect(error.code).toBe('KAFKA_AUTHENTICATION_FAILED');
    expect(error.hint).toBe('If the listener asks for SASL, set kafka.sasl.');
  });

  test('a user on a listener that wants none', async () => {
    const error = await refusal(connects({ brokers: kafka.brokers, sasl: sasl('plain', security.powerful) }));
    expect(error).toMatchObject({ code: 'KAFKA_AUTHENTICATION_FAILED', foreignCode: 'ILLEGAL_SASL_STATE' });
    expect(error.hint).toContain('remove kafka.sasl');
  });

  test('an authority that is not known', async () => {
    const error = await refusal(connects({ brokers: [security.ssl], ssl: true }));
    expect(error).toMatchObject({ code: 'KAFKA_AUTHENTICATION_FAILED', retriable: false });
    expect(error.message).toContain(`The certificate of ${security.ssl} is not trusted`);
    expect(error.hint).toContain('kafka.ssl.ca');
  });

  test('a certificate of another host', async () => {
    const ssl = { ca: security.ca, servername: 'elsewhere.example' };
    const error = await refusal(connects({ brokers: [security.ssl], ssl }));
    expect(error).toMatchObject({ code: 'KAFKA_AUTHENTICATION_FAILED', retriable: false });
    expect(error.message).toContain('is for another host');
    expect(error.hint).toContain('kafka.ssl.servername');
  });

  test('TLS on a listener without it', async () => {
    const error = await refusal(connects({ brokers: kafka.brokers, ssl: { ca: security.ca }, connectTimeoutMs: 500 }));
    expect(error.code).toBe('KAFKA_AUTHENTICATION_FAILED');
    expect(error.message).toContain('does not answer in TLS');
    expect(error.hint).toContain('Remove kafka.ssl');
  });

  test('no TLS on a listener with it', async () => {
    const error = await refusal(connects({ brokers: [security.ssl], connectTimeoutMs: 500 }));
    expect(error.code).toMatch(/KAFKA_AUTHENTICATION_FAILED|KAFKA_UNREACHABLE/);
    expect(error.hint).toMatch(/set kafka\.ssl/i);
  });

  test('rights that are missing, naming what they are missing on', async () => {
    const options = { brokers: [security.saslPlaintext], sasl: sasl('scram-sha-256', security.powerless) };
    const topicId = await withDriver({ brokers: kafka.brokers }, async (driver) => {
      const [description] = await driver.describeTopics([topic]);
      return description?.topicId ?? '';
    });
    await withDriver(options, async (driver) => {
      const stream = new Promise((_, reject) => {
        const followed = driver.openFetcher().follow({
          topic,
          partition: 0,
          topicId,
          fromOffset: 0n,
          onChange: () => followed.error !== undefined && reject(followed.error),
        });
      });
      const onTopic = [
        driver.describeTopics([topic]),
        driver.bounds([{ topic, partition: 0 }]),
        driver.offsetsForTimestamps([{ topic, partition: 0 }], 0),
        stream,
      ];
      for (const error of await Promise.all(onTopic.map(refusal))) {
        expect(error).toMatchObject({ code: 'KAFKA_AUTHORIZATION_FAILED', topic, retriable: false });
        expect(error.hint).toContain(`topic ${topic}`);
      }
      const onGroup = [
        driver.committedOffsets('secret-group', [topic]),
        driver.commitOffsets('secret-group', [{ topic, partition: 0, offset: 0n, metadata: '' }]),
      ];
      for (const error of await Promise.all(onGroup.map(refusal))) {
        expect(error).toMatchObject({ code: 'KAFKA_AUTHORIZATION_FAILED', retriable: false });
        expect(error.hint).toContain('group secret-group');
      }
      expect(await driver.listTopics()).toEqual([]);
    });
  });
});
