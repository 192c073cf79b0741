import { isTidemarkError, messageOf, TidemarkError } from '../../../errors.ts';

interface Meaning {
  readonly text: RegExp;
  readonly code: 'STORE_UNREACHABLE' | 'STORE_AUTHENTICATION_FAILED' | 'STORE_REQUEST_FAILED';
  readonly retriable: boolean;
  readonly hint: string;
}

const serverHint = 'Check that Redis runs and that host and port of the URL are right.';
const credentialsHint = 'Check user and password of the URL.';

/** The first line that fits counts: the text of an answer of Redis, which begins with a word in capitals, or a code of Node. */
const meanings: readonly Meaning[] = [
  {
    text: /WRONGPASS|NOAUTH|invalid password|invalid username-password|AUTH <password> called without/,
    code: 'STORE_AUTHENTICATION_FAILED',
    retriable: false,
    hint: credentialsHint,
  },
  {
    text: /^NOPERM/,
    code: 'STORE_REQUEST_FAILED',
    retriable: false,
    hint: 'Allow the user the keys tidemark:* and +@read +@write +@scripting +@connection +time.',
  },
  {
    text: /^OOM/,
    code: 'STORE_REQUEST_FAILED',
    retriable: true,
    hint: 'Redis has no memory left for writes: raise maxmemory.',
  },
  {
    text: /^MISCONF/,
    code: 'STORE_REQUEST_FAILED',
    retriable: true,
    hint: 'Redis cannot write to its disk: look at its log.',
  },
  {
    text: /^(?:READONLY|MASTERDOWN|LOADING|CLUSTERDOWN|TRYAGAIN|NOREPLICAS|BUSY)\b/,
    code: 'STORE_UNREACHABLE',
    retriable: true,
    hint: 'Redis takes no writes at present: look at what it is doing, and whether the URL leads to the master.',
  },
  {
    text: /max number of clients/,
    code: 'STORE_UNREACHABLE',
    retriable: true,
    hint: 'Raise maxclients of the server, or free some connections.',
  },
  {
    text: /cluster support disabled/,
    code: 'STORE_REQUEST_FAILED',
    retriable: false,
    hint: 'This Redis is no cluster: write redis:// in place of redis+cluster://.',
  },
  {
    text: /DB index is out of range/,
    code: 'STORE_REQUEST_FAILED',
    retriable: false,
    hint: 'Name a database that Redis has (its setting "databases", 16 by default), or none.',
  },
  {
    text: /^(?:MOVED|CROSSSLOT)/,
    code: 'STORE_REQUEST_FAILED',
    retriable: false,
    hint: 'This Redis is a cluster: write redis+cluster:// in place of redis://.',
  },
  {
    text: /^(?:ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|EPROTO)/,
    code: 'STORE_UNREACHABLE',
    retriable: false,
    hint: 'Check redis:// or rediss://, and the certificate of the server (NODE_EXTRA_CA_CERTS adds an authority).',
  },
];

/**
 * What an error of ioredis means. The error itself is not kept as a cause: it carries the command, and with AUTH the password. An
 * error that is a tidemark error already stays as it is.
 */
export function classifyRedisError(error: unknown, doing: string): TidemarkError {
  if (isTidemarkError(error)) return error;
  const text = textOf(error);
  // The text of Node has names of hosts in it, which may be any.
  const key = isAnswer(error) ? text : ((error as NodeJS.ErrnoException).code ?? text);
  const known = meanings.find((meaning) => meaning.text.test(key));
  const fallback = isAnswer(error)
    ? ({ code: 'STORE_REQUEST_FAILED', retriable: false } as const)
    : ({ code: 'STORE_UNREACHABLE', retriable: true, hint: serverHint } as const);
  const { code, retriable, hint } = { hint: undefined, ...(known ?? fallback) };
  const [foreignCode = ''] = /^[A-Z][A-Z_]+/.exec(key) ?? [];
  return new TidemarkError(code, `${doing}: ${text}`, {
    retriable,
    ...(hint === undefined ? {} : { hint }),
    ...(foreignCode === '' ? {} : { foreignCode }),
  });
}

/** Whether the server said it, and so did nothing, as opposed to the socket or the client. */
export function isAnswer(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError';
}

/** Node tries every address of a host: its error then has a list and no message. */
function textOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(messageOf).join('; ');
  return messageOf(error);
}
