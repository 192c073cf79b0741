import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KafkaSaslOptions } from '../../src/kafka/index.ts';
import type { KafkaSecurity, KafkaService } from '../services/index.ts';
import {
  passwordMechanisms,
  refusal,
  type SecuredBroker,
  securedBroker,
  securedReadingTests,
} from '../support/securedBroker.ts';

let broker: SecuredBroker;
let kafka: KafkaService;
let security: KafkaSecurity;

beforeAll(async () => {
  broker = await securedBroker({}, 10_500);
  ({ kafka, security } = broker);
});
afterAll(() => kafka.stop());

describe('reads records', () => {
  securedReadingTests(() => broker);

  test('beyond the end of a session, by authenticating again', async () => {
    let tokens = 0;
    const token = async () => {
      tokens += 1;
      return security.token();
    };
    await broker.withDriver(
      { brokers: [security.saslPlaintext], sasl: { mechanism: 'oauthbearer', token } },
      async (driver) => {
        const connected = tokens;
        // kafkajs authenticates again ten seconds before the end: with sessions of 10.5 s, half a second later.
        const deadline = performance.now() + 20_000;
        while (tokens === connected && performance.now() < deadline)
          expect(await broker.readAll(driver)).toEqual(broker.values);
        expect(tokens).toBeGreaterThan(connected);
        expect(await broker.readAll(driver)).toEqual(broker.values);
      },
    );
  });
});

describe('refuses, and says what to do about', () => {
  test.each(passwordMechanisms)('a wrong password by %s', async (mechanism) => {
    const wrong = { ...security.powerful, password: 'wrong-secret' };
    const error = await refusal(
      broker.connects({ brokers: [security.saslPlaintext], sasl: broker.sasl(mechanism, wrong) }),
    );
    expect(error).toMatchObject({ code: 'KAFKA_AUTHENTICATION_FAILED', retriable: false });
    expect(error.message).toContain(`${security.saslPlaintext} refused to authenticate by ${mechanism.toUpperCase()}`);
    expect(error.foreignCode).toBe('SASL_AUTHENTICATION_FAILED');
    expect(error.hint).toContain('kafka.sasl');
    expect(JSON.stringify(error) + String(error.cause)).not.toContain('wrong-secret');
  });

  test('an expired token', async () => {
    const identity: KafkaSaslOptions = { mechanism: 'oauthbearer', token: security.token('alice', -60) };
    const error = await refusal(broker.connects({ brokers: [security.saslPlaintext], sasl: identity }));
    expect(error).toMatchObject({ code: 'KAFKA_AUTHENTICATION_FAILED', retriable: false });
    expect(error.message).toContain('refused to authenticate by OAUTHBEARER');
  });

  test('a source of tokens that gives none', async () => {
    const token = async () => Promise.reject(new Error('the identity provider is down'));
    const error = await refusal(
      broker.connects({ brokers: [security.saslPlaintext], sasl: { mechanism: 'oauthbearer', token } }),
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
    await broker.withDriver(
      { brokers: [security.saslPlaintext], sasl: { mechanism: 'oauthbearer', token } },
      async (driver) => {
        const askUntilRefused = async () => {
          for (;;) await driver.bounds([{ topic: broker.topic, partition: 0 }]);
        };
        const error = await refusal(askUntilRefused());
        expect(error).toMatchObject({ code: 'KAFKA_AUTHENTICATION_FAILED', foreignCode: 'SASL_AUTHENTICATION_FAILED' });
        expect(error.message).toContain('OAUTHBEARER');
      },
    );
  });

  test('a missing user on a listener that wants one', async () => {
    const error = await refusal(broker.connects({ brokers: [security.saslPlaintext] }));
    expect(error.code).toBe('KAFKA_AUTHENTICATION_FAILED');
    expect(error.hint).toBe('If the listener asks for SASL, set kafka.sasl.');
  });

  test('a user on a listener that wants none', async () => {
    const error = await refusal(
      broker.connects({ brokers: kafka.brokers, sasl: broker.sasl('plain', security.powerful) }),
    );
    expect(error).toMatchObject({ code: 'KAFKA_AUTHENTICATION_FAILED', foreignCode: 'ILLEGAL_SASL_STATE' });
    expect(error.hint).toContain('remove kafka.sasl');
  });

  test('an authority that is not known', async () => {
    const error = await refusal(broker.connects({ brokers: [security.ssl], ssl: true }));
    expect(error).toMatchObject({ code: 'KAFKA_AUTHENTICATION_FAILED', retriable: false });
    expect(error.message).toContain(`The certificate of ${security.ssl} is not trusted`);
    expect(error.hint).toContain('kafka.ssl.ca');
  });

  test('a certificate of another host', async () => {
    const ssl = { ca: security.ca, servername: 'elsewhere.example' };
    const error = await refusal(broker.connects({ brokers: [security.ssl], ssl }));
    expect(error).toMatchObject({ code: 'KAFKA_AUTHENTICATION_FAILED', retriable: false });
    expect(error.message).toContain('is for another host');
    expect(error.hint).toContain('kafka.ssl.servername');
  });

  test('TLS on a listener without it', async () => {
    const error = await refusal(
      broker.connects({ brokers: kafka.brokers, ssl: { ca: security.ca }, connectTimeoutMs: 500 }),
    );
    expect(error.code).toBe('KAFKA_AUTHENTICATION_FAILED');
    expect(error.message).toContain('does not answer in TLS');
    expect(error.hint).toContain('Remove kafka.ssl');
  });

  test('no TLS on a listener with it', async () => {
    const error = await refusal(broker.connects({ brokers: [security.ssl], connectTimeoutMs: 500 }));
    expect(error.code).toMatch(/KAFKA_AUTHENTICATION_FAILED|KAFKA_UNREACHABLE/);
    expect(error.hint).toMatch(/set kafka\.ssl/i);
  });

  test('rights that are missing, naming what they are missing on', async () => {
    const { topic } = broker;
    const options = { brokers: [security.saslPlaintext], sasl: broker.sasl('scram-sha-256', security.powerless) };
    const topicId = await broker.withDriver({ brokers: kafka.brokers }, async (driver) => {
      const [description] = await driver.describeTopics([topic]);
      return description?.topicId ?? '';
    });
    await broker.withDriver(options, async (driver) => {
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
