import { type ErrorCode, type ErrorFacts, messageOf, TidemarkError } from '../../../errors.ts';

/** SQLSTATEs that the procedure of the ledger raises, and what they mean. */
export const ledgerStates = { fenced: 'TM001', moved: 'TM002', tampered: 'TM003', passed: 'TM004' } as const;

const ledgerCodes: ReadonlyMap<string, readonly [ErrorCode, hint: string]> = new Map([
  [ledgerStates.fenced, ['LEDGER_FENCED', 'Nothing was written. Another process owns the partition now.']],
  [ledgerStates.moved, ['LEDGER_MOVED', 'Nothing was written. The row is looked at before going on.']],
  [ledgerStates.passed, ['LEDGER_MOVED', 'Nothing was written. Those offsets are committed by now.']],
  [
    ledgerStates.tampered,
    ['LEDGER_TAMPERED', 'Nothing was written. Put next_offset back to where the history ends, or reset the partition.'],
  ],
]);

/** Where a failure happened: which code an answer of the server gets, and what was being done. */
export interface FailureContext {
  readonly doing: string;
  readonly unreachable: ErrorCode;
  readonly authentication: ErrorCode;
  readonly failed: ErrorCode;
  /** A table, column or function that should be there is not. Default: `failed`. */
  readonly missing?: ErrorCode;
}

export const storeContext = (doing: string): FailureContext => ({
  doing,
  unreachable: 'STORE_UNREACHABLE',
  authentication: 'STORE_AUTHENTICATION_FAILED',
  failed: 'STORE_REQUEST_FAILED',
  missing: 'STORE_SCHEMA_UNSUPPORTED',
});

/** The fields of an ErrorResponse that are used here (PostgreSQL's manual, 55.8). */
interface ServerError extends Error {
  readonly code?: string;
  readonly severity?: string;
  readonly detail?: string;
  readonly table?: string;
  readonly column?: string;
  readonly routine?: string;
}

type Kind = 'unreachable' | 'authentication' | 'failed' | 'missing';

interface Meaning {
  readonly states: RegExp;
  readonly kind: Kind;
  readonly retriable: boolean;
  readonly hint?: string;
}

const serverHint = 'Check that the server runs and that host and port of the connection string are right.';
const credentialsHint = 'Check user and password of the connection string, and pg_hba.conf of the server.';

/** The first line that fits counts. SQLSTATEs: PostgreSQL's manual, appendix A; the others are Node's. */
const meanings: readonly Meaning[] = [
  { states: /^28/, kind: 'authentication', retriable: false, hint: credentialsHint },
  { states: /^3D000$/, kind: 'failed', retriable: false, hint: 'Create the database, or correct its name.' },
  {
    states: /^53300$/,
    kind: 'unreachable',
    retriable: true,
    hint: 'Raise max_connections of the server, or free some connections.',
  },
  {
    states: /^25006$/,
    kind: 'unreachable',
    retriable: true,
    hint: 'The server takes no writes: point the connection string at the primary.',
  },
  // A database that was dropped does not come back by waiting.
  { states: /^57P04$/, kind: 'unreachable', retriable: false, hint: 'Create the database, or correct its name.' },
  { states: /^(?:08|57P0|25P0[34])/, kind: 'unreachable', retriable: true, hint: serverHint },
  {
    states: /^53/,
    kind: 'failed',
    retriable: true,
    hint: 'The server is short of disk, memory or a configured limit: give it more.',
  },
  { states: /^(?:40|55P03|57014)/, kind: 'failed', retriable: true },
  {
    states: /^42501$/,
    kind: 'failed',
    retriable: false,
    hint: 'Grant the role USAGE on the schema and SELECT, INSERT, UPDATE, DELETE on its tables; to make the schema, CREATE on the database.',
  },
  {
    states: /^(?:3F000|42P01|42703|42883)$/,
    kind: 'missing',
    retriable: false,
    hint: 'Restart the pipeline: it looks at the schema again and says what is wrong with it.',
  },
  {
    states: /^(?:ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_|EHOST|ENET|ENOENT|EACCES)/,
    kind: 'unreachable',
    retriable: true,
    hint: serverHint,
  },
  {
    states: /^(?:ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|EPROTO)/,
    kind: 'unreachable',
    retriable: false,
    hint: 'Check sslmode, sslrootcert and the host name of the connection string against the certificate of the server.',
  },
];

/** Texts of `pg` for what has no code. */
const texts: readonly { readonly text: RegExp; readonly meaning: Meaning }[] = [
  {
    text: /^(?:SASL|SCRAM)|client password must be/,
    meaning: { states: /^/, kind: 'authentication', retriable: false, hint: credentialsHint },
  },
  {
    text: /^The server does not support SSL|establishing an SSL connection$/,
    meaning: { states: /^/, kind: 'unreachable', retriable: false, hint: 'Turn TLS on in the server, or sslmode off.' },
  },
];

const answered: Meaning = { states: /^/, kind: 'failed', retriable: false };
const connectionEnded: Meaning = { states: /^/, kind: 'unreachable', retriable: true, hint: serverHint };

/**
 * What an error of `pg` means. Texts of the server are quoted, connection strings never. An error that is a tidemark error
 * already stays as it is.
 */
export function classifyPgError(error: unknown, context: FailureContext): TidemarkError {
  if (error instanceof TidemarkError) return error;
  const known = ledgerFailure(error as Error);
  if (known !== undefined) return known;
  const { code: state = '', detail } = error as ServerError;
  const { kind, retriable, hint } = meaningOf(error as ServerError, state);
  const facts: ErrorFacts = {
    retriable,
    cause: error,
    ...(hint === undefined ? {} : { hint }),
    ...(state === '' ? {} : { foreignCode: state }),
  };
  const text = `${context.doing}: ${textOf(error)}${detail === undefined ? '' : ` (${detail})`}`;
  return new TidemarkError(context[kind] ?? context.failed, text, facts);
}

function meaningOf(error: ServerError, state: string): Meaning {
  const message = messageOf(error);
  const byText = isAnswer(error) ? undefined : texts.find(({ text }) => text.test(message))?.meaning;
  if (byText !== undefined) return byText;
  // BEGIN READ WRITE on a server in recovery: feature_not_supported, out of the check of a setting.
  const isRecovering = state === '0A000' && error.routine === 'call_bool_check_hook';
  const key = isRecovering ? '25006' : state;
  const known = meanings.find(({ states }) => states.test(key));
  return known ?? (isAnswer(error) ? answered : connectionEnded);
}

/**
 * Whether an error leaves open what became of the statements that were sent. Without an SQLSTATE it is the socket's, or `pg`'s
 * about a connection that ended. With one it is an answer, and the transaction is rolled back, except for those with which
 * the server ends a session: these can come after the commit as well (a shutdown while the answer waits).
 */
export function leavesDoubt(error: unknown): boolean {
  return !isAnswer(error) || /^(?:08|57P0|25P0[34]|40003|XX)/.test(error.code);
}

/** The ledger's own refusals, with the partition; undefined for any other error. */
export function ledgerFailure(error: Error): TidemarkError | undefined {
  const { code, detail, table, column, message } = error as ServerError;
  const known = ledgerCodes.get(code ?? '');
  if (code === undefined || known === undefined) return undefined;
  const [ledgerCode, hint] = known;
  return new TidemarkError(ledgerCode, detail === undefined ? message : `${message}: ${detail}`, {
    // The procedure names the partition in two fields of the answer that a raised error can fill.
    ...(table === undefined ? {} : { topic: table }),
    ...(column === undefined ? {} : { partition: Number(column) }),
    foreignCode: code,
    cause: error,
    hint,
  });
}

/** Whether the server said it, as opposed to the socket or the driver. */
function isAnswer(error: unknown): error is ServerError & { readonly code: string } {
  return error instanceof Error && 'severity' in error && typeof (error as ServerError).code === 'string';
}

/** Node tries every address of a host: its error then has a list and no message. */
function textOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(messageOf).join('; ');
  return messageOf(error);
}
