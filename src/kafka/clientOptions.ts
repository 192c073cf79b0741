import { createSecureContext } from 'node:tls';
import { messageOf, TidemarkError } from '../errors.ts';

/** The client libraries a driver exists for. */
export const kafkaDrivers = ['kafkajs', 'confluent'] as const;

/** How to reach a Kafka cluster. */
export interface KafkaClientOptions {
  /** The client library behind the port. Default `kafkajs`. */
  readonly driver?: (typeof kafkaDrivers)[number] | undefined;
  /** Brokers to ask first, as `host:port` (`[::1]:9092` for IPv6); the others are learnt from them. */
  readonly brokers: readonly string[];
  /** The name brokers know this client by in logs and quotas. Default `tidemark`. */
  readonly clientId?: string | undefined;
  /** TLS: `true` with the system's authorities, or its parts. Default: none. */
  readonly ssl?: boolean | KafkaTlsOptions | undefined;
  /** SASL credentials. Default: none. */
  readonly sasl?: KafkaSaslOptions | undefined;
  /** Longest time until a broker is connected and has accepted us. `connect()` tries as long and takes twice that at most. Default 5 000. */
  readonly connectTimeoutMs?: number | undefined;
  /** Longest time of a request with all its retries. Default 30 000. */
  readonly requestTimeoutMs?: number | undefined;
}

export interface KafkaTlsOptions {
  /** PEM text of the authorities to trust in place of the system's. */
  readonly ca?: string | undefined;
  /** PEM text of the client's certificate and key, where the broker asks for one. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** `false` trusts any certificate. Default true. */
  readonly rejectUnauthorized?: boolean | undefined;
  /** The name expected in the broker's certificate. Default: the host of its address. */
  readonly servername?: string | undefined;
}

export type KafkaSaslOptions =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
      readonly username: string;
      readonly password: string;
    }
  | {
      readonly mechanism: 'oauthbearer';
      /** The token, or what gets one; asked again for every connection and re-authentication. */
      readonly token: string | (() => Promise<string>);
    };

export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
}

/** Client options with every default filled in. */
export interface ResolvedClientOptions {
  readonly brokers: readonly BrokerAddress[];
  readonly clientId: string;
  readonly ssl: KafkaTlsOptions | undefined;
  readonly sasl: KafkaSaslOptions | undefined;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
}

/** Checks the options and fills in the defaults. Throws CONFIG_INVALID with the path of the option. */
export function resolveClientOptions(options: KafkaClientOptions): ResolvedClientOptions {
  if (options.brokers.length === 0) throw invalid('kafka.brokers', 'the list of brokers is empty');
  return {
    brokers: options.brokers.map(parseAddress),
    clientId: options.clientId ?? 'tidemark',
    ssl: resolveTls(options.ssl),
    sasl: options.sasl,
    connectTimeoutMs: positive('kafka.connectTimeoutMs', options.connectTimeoutMs ?? 5_000),
    requestTimeoutMs: positive('kafka.requestTimeoutMs', options.requestTimeoutMs ?? 30_000),
  };
}

/** `host:port` as people write it. */
export function addressText(address: BrokerAddress): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

function parseAddress(text: string): BrokerAddress {
  const match = /^(?:\[([^\]]+)\]|([^:/\s]+)):(\d{1,5})$/.exec(text.trim());
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65_535) {
    throw invalid('kafka.brokers', `${JSON.stringify(text)} is not an address of the form host:port`);
  }
  return { host: match[1] ?? match[2] ?? '', port };
}

function resolveTls(ssl: KafkaClientOptions['ssl']): KafkaTlsOptions | undefined {
  if (ssl === undefined || ssl === false) return undefined;
  if (ssl === true) return {};
  if ((ssl.cert === undefined) !== (ssl.key === undefined)) {
    throw invalid('kafka.ssl', 'cert and key belong together, one of them is missing');
  }
  try {
    createSecureContext({ ca: ssl.ca, cert: ssl.cert, key: ssl.key });
  } catch (error) {
    throw new TidemarkError('CONFIG_INVALID', `kafka.ssl: the PEM text cannot be used: ${messageOf(error)}`, {
      path: 'kafka.ssl',
      hint: 'Give the text of the PEM files itself in ca, cert and key, not their paths.',
      cause: error,
    });
  }
  return ssl;
}

function positive(path: string, value: number): number {
  if (!Number.isFinite(value) || value <= 0) throw invalid(path, `${value} is not a positive number of milliseconds`);
  return value;
}

function invalid(path: string, what: string): TidemarkError {
  return new TidemarkError('CONFIG_INVALID', `${path}: ${what}`, { path });
}
