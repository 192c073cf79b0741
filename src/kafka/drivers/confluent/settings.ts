import { messageOf, TidemarkError } from '../../../errors.ts';
import { systemClock } from '../../../platform/index.ts';
import { addressText, type KafkaSaslOptions, type ResolvedClientOptions } from '../../clientOptions.ts';

export type Settings = Record<string, unknown>;

/** Options as librdkafka's settings (its CONFIGURATION.md), for every client of a driver. Throws CONFIG_INVALID for what it cannot do. */
export function connectionSettings(options: ResolvedClientOptions): Settings {
  const { ssl, sasl } = options;
  return {
    'bootstrap.servers': options.brokers.map(addressText).join(','),
    'client.id': options.clientId,
    'security.protocol': `${sasl === undefined ? '' : 'sasl_'}${ssl === undefined ? 'plaintext' : 'ssl'}`,
    ...tlsSettings(ssl),
    ...saslSettings(sasl),
    // Each has a least value that librdkafka takes.
    'socket.connection.setup.timeout.ms': Math.max(1_000, options.connectTimeoutMs),
    'socket.timeout.ms': Math.min(300_000, Math.max(10_000, options.requestTimeoutMs)),
    'reconnect.backoff.max.ms': 1_000,
    'allow.auto.create.topics': false,
    // Neither sends measurements of the client to the broker (KIP-714).
    'enable.metrics.push': false,
    // What goes wrong comes back as errors; the library's own log lines would go past the logs of the host.
    log_level: 0,
  };
}

/** For a client that never joins a group: librdkafka wants a group id of every consumer all the same. */
export function readerSettings(options: ResolvedClientOptions): Settings {
  return {
    ...connectionSettings(options),
    'group.id': `${options.clientId}-not-a-group`,
    'enable.auto.commit': false,
    'enable.auto.offset.store': false,
    'isolation.level': 'read_committed',
    // A position outside of the log is an error, never a jump.
    'auto.offset.reset': 'error',
  };
}

function tlsSettings(ssl: ResolvedClientOptions['ssl']): Settings {
  if (ssl === undefined) return {};
  if (ssl.servername !== undefined) {
    throw new TidemarkError('CONFIG_INVALID', 'kafka.ssl.servername cannot be used with kafka.driver: confluent', {
      path: 'kafka.ssl.servername',
      hint: 'Use a host name that the certificate names, or kafka.driver: kafkajs.',
    });
  }
  return {
    ...(ssl.ca === undefined ? {} : { 'ssl.ca.pem': ssl.ca }),
    ...(ssl.cert === undefined ? {} : { 'ssl.certificate.pem': ssl.cert }),
    ...(ssl.key === undefined ? {} : { 'ssl.key.pem': ssl.key }),
    'enable.ssl.certificate.verification': ssl.rejectUnauthorized ?? true,
    'ssl.endpoint.identification.algorithm': ssl.rejectUnauthorized === false ? 'none' : 'https',
  };
}

function saslSettings(sasl: KafkaSaslOptions | undefined): Settings {
  if (sasl === undefined) return {};
  if (sasl.mechanism !== 'oauthbearer') {
    return {
      'sasl.mechanisms': sasl.mechanism.toUpperCase(),
      'sasl.username': sasl.username,
      'sasl.password': sasl.password,
    };
  }
  const { token } = sasl;
  return {
    'sasl.mechanisms': 'OAUTHBEARER',
    oauthbearer_token_refresh_cb: async () => describeToken(typeof token === 'string' ? token : await tokenOf(token)),
  };
}

/** The library writes into the error that it gets: it has to be one, and of its own. */
async function tokenOf(source: () => Promise<string>): Promise<string> {
  try {
    return await source();
  } catch (error) {
    throw new Error(messageOf(error), { cause: error });
  }
}

/** librdkafka wants to know whose a token is and until when; a JWT says so, of any other it is told an hour. */
function describeToken(tokenValue: string): { tokenValue: string; lifetime: number; principal: string } {
  let claims: { exp?: unknown; sub?: unknown } = {};
  try {
    claims = JSON.parse(Buffer.from(tokenValue.split('.')[1] ?? '', 'base64url').toString('utf8'));
  } catch {
    // Not a JWT: what the token is made of is between its issuer and the broker.
  }
  const lifetime = typeof claims.exp === 'number' ? claims.exp * 1_000 : systemClock.now() + 3_600_000;
  return { tokenValue, lifetime, principal: typeof claims.sub === 'string' ? claims.sub : '' };
}
