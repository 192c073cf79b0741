import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TidemarkError } from '../../src/errors.ts';
import type { KafkaClientOptions, KafkaSaslOptions } from '../../src/kafka/index.ts';
import { waitUntil } from '../services/index.ts';
import { needsConfluent } from '../support/confluentPackage.ts';
import {
  passwordMechanisms,
  refusal,
  type SecuredBroker,
  securedBroker,
  securedReadingTests,
} from '../support/securedBroker.ts';

needsConfluent();

/** A refusal needs less: what it takes is that the library lets go of its client, 5 s at most. */
const connectTimeoutMs = 15_000;
const sessionMs = 10_500;
let broker: SecuredBroker;

beforeAll(async () => {
  broker = await securedBroker({ driver: 'confluent', connectTimeoutMs }, sessionMs);
}, 120_000);
afterAll(() => broker.kafka.stop());

/** Refused for good, before the time to connect is over. */
async function refusedInTime(options: KafkaClientOptions): Promise<TidemarkError> {
  const begun = performance.now();
  const error = await refusal(broker.connects(options));
  expect(error).toMatchObject({ code: 'KAFKA_AUTHENTICATION_FAILED', retriable: false });
  expect(performance.now() - begun).toBeLessThan(connectTimeoutMs);
  return error;
}

describe('reads records', () => {
  securedReadingTests(() => broker);

  test('beyond the end of a session, by authenticating again', async () => {
    const { security, values } = broker;
    let tokens = 0;
    // So short a life that the library wants new ones while the test runs.
    const token = async () => {
      tokens += 1;
      return security.token(security.powerful.username, 12);
    };
    const sasl: KafkaSaslOptions = { mechanism: 'oauthbearer', token };
    await broker.withDriver({ brokers: [security.saslPlaintext], sasl }, async (driver) => {
      const begun = performance.now();
      const connected = tokens;
      await waitUntil('the end of a session, and a new token', async () => {
        expect(await broker.readAll(driver)).toEqual(values);
        return tokens > connected && performance.now() - begun > sessionMs;
      });
      expect(await broker.readAll(driver)).toEqual(values);
    });
  });
});

describe('refuses, and says what to do about', () => {
  test.each(passwordMechanisms)('a wrong password by %s', async (mechanism) => {
    const { security, sasl } = broker;
    const wrong = { ...security.powerful, password: 'wrong-secret' };
    const error = await refusedInTime({ brokers: [security.saslPlaintext], sasl: sasl(mechanism, wrong) });
    expect(error.message).toContain(security.saslPlaintext);
    expect(error.foreignCode).toBe('_AUTHENTICATION');
    expect(error.hint).toContain('kafka.sasl');
    expect(JSON.stringify(error) + JSON.stringify(error.cause)).not.toContain('wrong-secret');
  });

  test('a wrong password over TLS, beside an address where nothing listens', async () => {
    const { security, sasl } = broker;
    const wrong = sasl('plain', { ...security.powerful, password: 'wrong-secret' });
    await refusedInTime({ brokers: ['127.0.0.1:1', security.saslSsl], ssl: { ca: security.ca }, sasl: wrong });
  });

  test('an expired token', async () => {
    const { security } = broker;
    const sasl: KafkaSaslOptions = { mechanism: 'oauthbearer', token: security.token('alice', -60) };
    const error = await refusedInTime({ brokers: [security.saslPlaintext], sasl });
    expect(error.message).toContain('unexpired token');
  });

  test('a token that the broker cannot read', async () => {
    const sasl: KafkaSaslOptions = { mechanism: 'oauthbearer', token: 'opaque' };
    await refusedInTime({ brokers: [broker.security.saslPlaintext], sasl });
  });

  test.each<[what: string, reason: unknown]>([
    ['an error', new Error('the identity provider is down')],
    ['what is no error', 'the identity provider is down'],
  ])('a source of tokens that fails with %s', async (_, reason) => {
    const sasl: KafkaSaslOptions = { mechanism: 'oauthbearer', token: async () => Promise.reject(reason) };
    const error = await refusedInTime({ brokers: [broker.security.saslPlaintext], sasl });
    expect(error.message).toContain('the identity provider is down');
  });

  test('a user on a listener that wants none', async () => {
    const { kafka, security, sasl } = broker;
    const error = await refusedInTime({ brokers: kafka.brokers, sasl: sasl('plain', security.powerful) });
    expect(error.hint).toContain('kafka.sasl');
  });

  test('an authority that is not known', async () => {
    const error = await refusedInTime({ brokers: [broker.security.ssl], ssl: true });
    expect(error).toMatchObject({ foreignCode: '_SSL' });
    expect(error.message).toContain(broker.security.ssl);
    expect(error.hint).toContain('kafka.ssl.ca');
  });

  // Of these two the library knows only that the connection ends.
  test.each<[what: string, hint: string, listener: 'ssl' | 'saslPlaintext']>([
    ['no TLS on a listener with it', 'kafka.ssl', 'ssl'],
    ['a missing user on a listener that wants one', 'kafka.sasl', 'saslPlaintext'],
  ])('%s', async (_, hint, listener) => {
    const options = { brokers: [broker.security[listener]], connectTimeoutMs: 1_000 };
    const error = await refusal(broker.connects(options));
    expect(error.code).toMatch(/KAFKA_AUTHENTICATION_FAILED|KAFKA_UNREACHABLE/);
    expect(error.hint).toContain(hint);
  });

  test('a name for the certificate, which the library cannot be told', async () => {
    const ssl = { ca: broker.security.ca, servername: 'elsewhere.example' };
    const error = await refusal(broker.connects({ brokers: [broker.security.ssl], ssl }));
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', path: 'kafka.ssl.servername' });
  });
});
