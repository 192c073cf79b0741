import { describe, expect, test } from 'vitest';
import { addressText, type KafkaClientOptions, resolveClientOptions } from '../../../src/kafka/clientOptions.ts';

const brokers = ['127.0.0.1:9092'];

describe('client options', () => {
  test('are filled with their defaults', () => {
    expect(resolveClientOptions({ brokers })).toEqual({
      brokers: [{ host: '127.0.0.1', port: 9092 }],
      clientId: 'tidemark',
      ssl: undefined,
      sasl: undefined,
      connectTimeoutMs: 5_000,
      requestTimeoutMs: 30_000,
    });
    expect(resolveClientOptions({ brokers, ssl: true }).ssl).toEqual({});
    expect(resolveClientOptions({ brokers, ssl: false }).ssl).toBeUndefined();
  });

  test.each([
    ['kafka.example.com:9092', 'kafka.example.com', 9092],
    ['[::1]:9093', '::1', 9093],
    [' broker:1 ', 'broker', 1],
  ])('take %j for an address', (text, host, port) => {
    const [address] = resolveClientOptions({ brokers: [text] }).brokers;
    expect(address).toEqual({ host, port });
    expect(address && addressText(address)).toBe(text.trim());
  });

  test.each<[string, Partial<KafkaClientOptions>, string]>([
    ['no broker', { brokers: [] }, 'kafka.brokers'],
    ['a broker without a port', { brokers: ['kafka'] }, 'kafka.brokers'],
    ['a broker with a port of 0', { brokers: ['kafka:0'] }, 'kafka.brokers'],
    ['a broker with a port beyond 65535', { brokers: ['kafka:70000'] }, 'kafka.brokers'],
    ['a broker as a URL', { brokers: ['http://kafka:9092'] }, 'kafka.brokers'],
    ['an IPv6 address without brackets', { brokers: ['::1:9092'] }, 'kafka.brokers'],
    ['a certificate without a key', { ssl: { cert: 'x' } }, 'kafka.ssl'],
    ['a path where PEM text belongs', { ssl: { cert: '/etc/cert.pem', key: '/etc/key.pem' } }, 'kafka.ssl'],
    ['a timeout of 0', { connectTimeoutMs: 0 }, 'kafka.connectTimeoutMs'],
    ['an endless timeout', { requestTimeoutMs: Number.POSITIVE_INFINITY }, 'kafka.requestTimeoutMs'],
  ])('refuse %s', (_, options, path) => {
    expect(() => resolveClientOptions({ brokers, ...options })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', path }),
    );
  });
});
