import { describe, expect, it } from 'vitest';
import { TidemarkError } from '../../../src/errors.ts';
import { classifyPgError, type FailureContext, ledgerFailure } from '../../../src/offsets/stores/postgres/index.ts';

const context: FailureContext = {
  doing: 'Claiming partitions',
  unreachable: 'STORE_UNREACHABLE',
  authentication: 'STORE_AUTHENTICATION_FAILED',
  failed: 'STORE_REQUEST_FAILED',
  missing: 'STORE_SCHEMA_UNSUPPORTED',
};

/** An ErrorResponse as `pg` gives it. */
function answer(code: string, more: object = {}): Error {
  return Object.assign(new Error('what the server says'), { code, severity: 'ERROR', ...more });
}

function socket(code: string): Error {
  return Object.assign(new Error(`connect ${code} 10.0.0.1:5432`), { code, syscall: 'connect' });
}

describe('what an error of pg means', () => {
  it.each([
    ['wrong password', answer('28P01'), 'STORE_AUTHENTICATION_FAILED', false],
    ['no entry in pg_hba.conf', answer('28000'), 'STORE_AUTHENTICATION_FAILED', false],
    [
      'no password given',
      new Error('SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string'),
      'STORE_AUTHENTICATION_FAILED',
      false,
    ],
    ['no such database', answer('3D000'), 'STORE_REQUEST_FAILED', false],
    ['connection failure', answer('08006'), 'STORE_UNREACHABLE', true],
    ['a pooler without a server', answer('08P01'), 'STORE_UNREACHABLE', true],
    ['shutdown', answer('57P01', { severity: 'FATAL' }), 'STORE_UNREACHABLE', true],
    ['crash of another backend', answer('57P02'), 'STORE_UNREACHABLE', true],
    ['starting up', answer('57P03'), 'STORE_UNREACHABLE', true],
    ['database dropped', answer('57P04'), 'STORE_UNREACHABLE', false],
    ['idle in transaction for too long', answer('25P03'), 'STORE_UNREACHABLE', true],
    ['a standby', answer('25006'), 'STORE_UNREACHABLE', true],
    [
      'a standby, asked for a transaction that writes',
      answer('0A000', { routine: 'call_bool_check_hook' }),
      'STORE_UNREACHABLE',
      true,
    ],
    ['something not supported', answer('0A000'), 'STORE_REQUEST_FAILED', false],
    ['too many connections', answer('53300'), 'STORE_UNREACHABLE', true],
    ['disk full', answer('53100'), 'STORE_REQUEST_FAILED', true],
    ['out of memory', answer('53200'), 'STORE_REQUEST_FAILED', true],
    ['serialization failure', answer('40001'), 'STORE_REQUEST_FAILED', true],
    ['deadlock', answer('40P01'), 'STORE_REQUEST_FAILED', true],
    ['lock not available', answer('55P03'), 'STORE_REQUEST_FAILED', true],
    ['statement timeout', answer('57014'), 'STORE_REQUEST_FAILED', true],
    ['no privilege', answer('42501'), 'STORE_REQUEST_FAILED', false],
    ['no such table', answer('42P01'), 'STORE_SCHEMA_UNSUPPORTED', false],
    ['no such column', answer('42703'), 'STORE_SCHEMA_UNSUPPORTED', false],
    ['no such procedure', answer('42883'), 'STORE_SCHEMA_UNSUPPORTED', false],
    ['no such schema', answer('3F000'), 'STORE_SCHEMA_UNSUPPORTED', false],
    ['a bug of ours', answer('42601'), 'STORE_REQUEST_FAILED', false],
    ['a bug of theirs', answer('XX000'), 'STORE_REQUEST_FAILED', false],
    ['an exception of a trigger with a code of its own', answer('E0001'), 'STORE_REQUEST_FAILED', false],
    [
      'a trigger that speaks of passwords',
      answer('P0001', { message: 'SASL password' }),
      'STORE_REQUEST_FAILED',
      false,
    ],
    ['nothing listens', socket('ECONNREFUSED'), 'STORE_UNREACHABLE', true],
    ['connection reset', socket('ECONNRESET'), 'STORE_UNREACHABLE', true],
    ['broken pipe', socket('EPIPE'), 'STORE_UNREACHABLE', true],
    ['no route', socket('EHOSTUNREACH'), 'STORE_UNREACHABLE', true],
    ['name not known', socket('ENOTFOUND'), 'STORE_UNREACHABLE', true],
    ['names not answered for now', socket('EAI_AGAIN'), 'STORE_UNREACHABLE', true],
    ['a certificate that does not verify', socket('DEPTH_ZERO_SELF_SIGNED_CERT'), 'STORE_UNREACHABLE', false],
    ['a certificate of another host', socket('ERR_TLS_CERT_ALTNAME_INVALID'), 'STORE_UNREACHABLE', false],
    ['a server without TLS', new Error('The server does not support SSL connections'), 'STORE_UNREACHABLE', false],
    ['pg noticing an end', new Error('Connection terminated unexpectedly'), 'STORE_UNREACHABLE', true],
    [
      'pg refusing a dead connection',
      new Error('Client has encountered a connection error and is not queryable'),
      'STORE_UNREACHABLE',
      true,
    ],
  ] as const)('%s', (_, error, code, retriable) => {
    const failure = classifyPgError(error, context);
    const foreignCode = 'code' in error ? error.code : undefined;
    expect(failure).toMatchObject({ code, retriable, foreignCode, cause: error });
    expect(failure.message).toBe(`Claiming partitions: ${error.message}`);
  });

  it('tells every address that was tried', () => {
    const tried = [socket('ECONNREFUSED'), Object.assign(new Error('connect ECONNREFUSED ::1:5432'), {})];
    const error = Object.assign(new AggregateError(tried), { code: 'ECONNREFUSED' });
    expect(classifyPgError(error, context)).toMatchObject({
      code: 'STORE_UNREACHABLE',
      retriable: true,
      message: 'Claiming partitions: connect ECONNREFUSED 10.0.0.1:5432; connect ECONNREFUSED ::1:5432',
    });
  });

  it('adds what the server says in detail', () => {
    const failure = classifyPgError(answer('23505', { detail: 'Key (id)=(1) already exists.' }), context);
    expect(failure.message).toBe('Claiming partitions: what the server says (Key (id)=(1) already exists.)');
  });

  it('leaves an error that is ours already', () => {
    const error = new TidemarkError('PIPELINE_STATE', 'closed');
    expect(classifyPgError(error, context)).toBe(error);
  });

  it('calls what is missing a failure where the context has no name for it', () => {
    const { missing: _, ...rest } = context;
    expect(classifyPgError(answer('42P01'), rest).code).toBe('STORE_REQUEST_FAILED');
  });

  it.each([
    ['TM001', 'LEDGER_FENCED'],
    ['TM002', 'LEDGER_MOVED'],
    ['TM003', 'LEDGER_TAMPERED'],
  ])('%s of the ledger is %s, with the partition', (state, code) => {
    const error = answer(state, { table: 'orders', column: '7', detail: 'owner x' });
    for (const failure of [classifyPgError(error, context), ledgerFailure(error)]) {
      expect(failure).toMatchObject({
        code,
        topic: 'orders',
        partition: 7,
        retriable: false,
        foreignCode: state,
        message: 'what the server says: owner x',
      });
    }
    expect(ledgerFailure(answer('23505'))).toBeUndefined();
  });
});
