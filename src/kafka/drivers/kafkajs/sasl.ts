import { messageOf, TidemarkError } from '../../../errors.ts';
import type { KafkaSaslOptions } from '../../clientOptions.ts';
import type { KafkajsSasl, KafkajsSaslExchange } from './kafkajsShim.ts';

/** Our SASL options in kafkajs' form. A fresh object for every connection: kafkajs keeps its authenticator in it. */
export function kafkajsSasl(sasl: KafkaSaslOptions): KafkajsSasl {
  if (sasl.mechanism !== 'oauthbearer') return { ...sasl };
  return {
    mechanism: sasl.mechanism,
    authenticationProvider: ({ saslAuthenticate }) => ({ authenticate: () => sendToken(sasl.token, saslAuthenticate) }),
  };
}

type TokenSource = (KafkaSaslOptions & { mechanism: 'oauthbearer' })['token'];

/**
 * OAUTHBEARER (RFC 7628). kafkajs' own does not read the broker's answer: a refused token looks like success there and
 * ends in a closed connection at the next request. The broker says no by a challenge that is not empty; it then wants
 * one byte and answers with the failure.
 */
async function sendToken(source: TokenSource, exchange: KafkajsSaslExchange): Promise<void> {
  const token = await tokenOf(source);
  const challenge = await exchange({
    request: { encode: async () => sized(Buffer.from(`n,,\u0001auth=Bearer ${token}\u0001\u0001`)) },
    response: { decode: async (bytes) => bytes, parse: async (bytes) => bytes },
  });
  const refusal = challenge?.subarray(4).toString('utf8') ?? '';
  if (refusal === '') return;
  await exchange({ request: { encode: async () => sized(Buffer.from([1])) } });
  throw new TidemarkError('KAFKA_AUTHENTICATION_FAILED', `the broker refused the token: ${refusal}`);
}

async function tokenOf(source: TokenSource): Promise<string> {
  if (typeof source === 'string') return source;
  try {
    return await source();
  } catch (error) {
    throw new TidemarkError('KAFKA_AUTHENTICATION_FAILED', `kafka.sasl.token gave no token: ${messageOf(error)}`, {
      retriable: true,
      cause: error,
    });
  }
}

function sized(bytes: Buffer): Buffer {
  const framed = Buffer.allocUnsafe(4 + bytes.length);
  framed.writeInt32BE(bytes.length, 0);
  bytes.copy(framed, 4);
  return framed;
}
