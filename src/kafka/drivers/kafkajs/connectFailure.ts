import { isTidemarkError, messageOf, TidemarkError } from '../../../errors.ts';
import { addressText, type BrokerAddress, type ResolvedClientOptions } from '../../clientOptions.ts';
import { NotKafkaError } from './answerFramer.ts';

const saslRefused = 'SASL_AUTHENTICATION_FAILED';

/** How far a connection had come when it failed. */
export type ConnectStage = 'connecting' | 'greeting' | 'authenticating' | 'ready';

export interface ConnectFailure {
  readonly address: BrokerAddress;
  readonly options: ResolvedClientOptions;
  readonly stage: ConnectStage;
  /** What the socket said, where it said something. */
  readonly socketError: Error | undefined;
  /** What was thrown. */
  readonly thrown: unknown;
  /** The connection ended, where otherwise the broker answered with a refusal. */
  readonly ended: boolean;
}

/**
 * Why a connection did not come about, in words that name the way out. `retriable` is left false where another
 * attempt cannot end differently: wrong credentials, a certificate that is not trusted.
 */
export function explainConnectFailure(failure: ConnectFailure): TidemarkError {
  const cause = failure.socketError ?? failure.thrown;
  if (cause instanceof NotKafkaError) return notKafka(failure, cause);
  if (failure.stage === 'connecting') {
    return failure.options.ssl === undefined ? unreachable(failure, cause) : tlsFailure(failure, cause);
  }
  if (failure.stage === 'authenticating') return authenticationFailure(failure, cause);
  return closedEarly(failure, cause);
}

function notKafka({ address }: ConnectFailure, cause: NotKafkaError): TidemarkError {
  const where = addressText(address);
  if (cause.speaks === 'tls') {
    const hint = 'Set kafka.ssl (true, or with ca, cert and key), or use the port of a listener without TLS.';
    return tlsRefused(`${where} speaks TLS and kafka.ssl is not set`, { hint, cause });
  }
  return new TidemarkError('KAFKA_UNREACHABLE', `${where} is not a Kafka broker: ${cause.message}`, {
    hint: 'Give the address of a Kafka listener.',
    cause,
  });
}

function unreachable({ address }: ConnectFailure, cause: unknown): TidemarkError {
  const foreignCode = codeOf(cause);
  return new TidemarkError('KAFKA_UNREACHABLE', `${addressText(address)} cannot be reached: ${textOf(cause)}`, {
    retriable: true,
    hint: hintFor(foreignCode),
    ...(foreignCode === undefined ? {} : { foreignCode }),
    cause,
  });
}

function hintFor(foreignCode: string | undefined): string {
  if (foreignCode === 'ENOTFOUND' || foreignCode === 'EAI_AGAIN') {
    return "Check the host name; if it comes from the cluster, check the broker's advertised.listeners.";
  }
  return 'Check the address and that the broker runs and can be reached from here.';
}

/** Errors of OpenSSL and Node that say the certificate of the broker is not to be trusted. */
const untrustedCodes = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
]);

function tlsFailure(failure: ConnectFailure, cause: unknown): TidemarkError {
  const where = addressText(failure.address);
  const code = codeOf(cause) ?? '';
  const fact = (hint: string, retriable = false) => ({
    hint,
    retriable,
    cause,
    ...(code === '' ? {} : { foreignCode: code }),
  });
  if (untrustedCodes.has(code)) {
    const hint = 'Set kafka.ssl.ca to the PEM text of the authority that signed it.';
    return tlsRefused(`The certificate of ${where} is not trusted: ${textOf(cause)}`, fact(hint));
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const hint = 'Use a host name that the certificate names, or set kafka.ssl.servername to one.';
    return tlsRefused(`The certificate of ${where} is for another host: ${textOf(cause)}`, fact(hint));
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    return tlsRefused(
      `The certificate of ${where} is not valid now: ${textOf(cause)}`,
      fact('Renew it, or check the clock.'),
    );
  }
  // A listener without TLS takes the first bytes of the handshake for a size it cannot accept and hangs up; so does
  // a broker that is being stopped, hence retriable.
  if (code === 'EPROTO' || /wrong version number|before secure TLS connection/i.test(textOf(cause))) {
    const hint = 'Remove kafka.ssl if the listener has no TLS, or give the port of the TLS listener.';
    return tlsRefused(`${where} does not answer in TLS: ${textOf(cause)}`, fact(hint, true));
  }
  if (code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_')) return clientRefused(failure, cause);
  return unreachable(failure, cause);
}

/** The broker ended the handshake: in TLS 1.3 that becomes known only after our side believes to be connected. */
function clientRefused({ address, options }: ConnectFailure, cause: unknown): TidemarkError {
  const hint =
    options.ssl?.cert === undefined
      ? 'If the listener asks for client certificates, set kafka.ssl.cert and kafka.ssl.key.'
      : "Check that the broker trusts the authority of kafka.ssl.cert, and the broker's log.";
  const foreignCode = codeOf(cause);
  return tlsRefused(`The TLS handshake with ${addressText(address)} failed: ${textOf(cause)}`, {
    hint,
    cause,
    ...(foreignCode === undefined ? {} : { foreignCode }),
  });
}

function tlsRefused(message: string, facts: ConstructorParameters<typeof TidemarkError>[2]): TidemarkError {
  return new TidemarkError('KAFKA_AUTHENTICATION_FAILED', message, facts);
}

function authenticationFailure({ address, options, ended }: ConnectFailure, cause: unknown): TidemarkError {
  const where = addressText(address);
  const mechanism = options.sasl?.mechanism.toUpperCase() ?? 'SASL';
  const foreignCode = typeOf(cause);
  const text = textOf(cause);
  let hint = 'Check kafka.sasl: the credentials are not the ones the broker knows.';
  if (foreignCode === 'ILLEGAL_SASL_STATE')
    hint = 'This listener has no SASL: remove kafka.sasl or use the port of one that has.';
  if (foreignCode === 'UNSUPPORTED_SASL_MECHANISM')
    hint = 'Set kafka.sasl.mechanism to one that the listener has enabled.';
  if (ended) hint = "Check the broker's log: it ended the connection during the SASL exchange.";
  return new TidemarkError('KAFKA_AUTHENTICATION_FAILED', `${where} refused to authenticate by ${mechanism}: ${text}`, {
    retriable: ended || (isTidemarkError(cause) && cause.retriable),
    hint,
    cause,
    ...(foreignCode === undefined ? {} : { foreignCode }),
  });
}

/** Whether the broker refused credentials, as kafkajs says it. */
export function isSaslRefusal(thrown: unknown): boolean {
  return typeOf(thrown) === saslRefused;
}

/** Hung up before it answered the first request: what listeners do that want TLS or SASL, and brokers that stop. */
function closedEarly(failure: ConnectFailure, cause: unknown): TidemarkError {
  if (codeOf(cause)?.startsWith('ERR_SSL_')) return clientRefused(failure, cause);
  const where = addressText(failure.address);
  const wanted = failure.options.ssl === undefined ? 'If the listener speaks TLS, set kafka.ssl.' : undefined;
  return new TidemarkError(
    'KAFKA_UNREACHABLE',
    `${where} ended the connection at the first request: ${textOf(cause)}`,
    {
      retriable: true,
      hint: wanted ?? 'If the listener asks for client certificates, set kafka.ssl.cert and kafka.ssl.key.',
      cause,
    },
  );
}

/** Node gives an AggregateError without a message where a name has several addresses and none of them answers. */
function textOf(cause: unknown): string {
  if (cause instanceof AggregateError) return cause.errors.map(messageOf).join(', ');
  return messageOf(cause);
}

function codeOf(cause: unknown): string | undefined {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
}

/** kafkajs puts Kafka's error name into `type`, except where its SASL code wrapped the refusal. */
function typeOf(cause: unknown): string | undefined {
  if (cause instanceof Error && cause.name === 'KafkaJSSASLAuthenticationError') return saslRefused;
  return cause instanceof Error && 'type' in cause && typeof cause.type === 'string' ? cause.type : undefined;
}
