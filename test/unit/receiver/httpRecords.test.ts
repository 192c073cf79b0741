import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TidemarkError } from '../../../src/errors.ts';
import { describeBody } from '../../../src/receiver/http/admission.ts';
import { recordsOf } from '../../../src/receiver/http/records.ts';
import { Refusal, refusalOfStore } from '../../../src/receiver/http/refusal.ts';

/** The values as text, or status and message. */
async function values(body: Buffer | string, format: 'lines' | 'document' = 'lines') {
  const records = await recordsOf(Buffer.from(body), format);
  return records instanceof Refusal ? [records.status, records.message] : records.map(({ value }) => String(value));
}

describe('the records of a body', () => {
  test('each line is a record with its bytes as they came; empty lines are skipped', async () => {
    expect(await values('{"a": 1}\n\n [2 , 3]\r\n\r\n"zwölf"')).toEqual(['{"a": 1}', ' [2 , 3]', '"zwölf"']);
  });

  test('a document is one record, line breaks and all', async () => {
    expect(await values('\n{\n"a": 1\n}\n', 'document')).toEqual(['\n{\n"a": 1\n}\n']);
  });

  test('the first bad line is named, and nothing is taken', async () => {
    const [status, message] = await values('1\n\n{"a":\n4');
    expect([status, message]).toEqual([400, expect.stringMatching(/^line 3 is not JSON: ./)]);
    const notUtf8 = Buffer.concat([Buffer.from('1\n"'), Buffer.from([0xc3, 0x28]), Buffer.from('"\n')]);
    expect(await values(notUtf8)).toEqual([400, 'line 2 is not JSON: it is not UTF-8']);
    expect(await values('1\n   \n2')).toEqual([400, expect.stringMatching(/^line 2 is not JSON/)]);
    expect(await values('{} {}', 'document')).toEqual([400, expect.stringMatching(/^the body is not JSON: /)]);
    expect(await values('\ufeff{}', 'document')).toEqual([400, expect.stringMatching(/^the body is not JSON: /)]);
  });

  test('nothing at all is refused', async () => {
    expect(await values('')).toEqual([400, 'the body is empty']);
    expect(await values('', 'document')).toEqual([400, 'the body is empty']);
    expect(await values('\n\r\n\n')).toEqual([400, 'the body holds empty lines only']);
  });

  test('more records than memory is meant for are refused', async () => {
    expect(await values('1\n'.repeat(500_001))).toEqual([
      413,
      'the body has more than 500000 records: send it in parts',
    ]);
  });

  test('any documents between any line breaks come out as they went in', async () => {
    const lines = fc.array(
      fc.tuple(
        fc.json().map((text) => text.replaceAll(/[\r\n]/g, ' ')),
        fc.constantFrom('\n', '\r\n', '\n\n', '\n\r\n'),
      ),
      { minLength: 1, maxLength: 20 },
    );
    await fc.assert(
      fc.asyncProperty(lines, fc.boolean(), async (pairs, hasLastBreak) => {
        const body = pairs.map(([text, ending]) => text + ending).join('');
        expect(await values(hasLastBreak ? body : body.trimEnd())).toEqual(
          pairs.map(([text], index) => (hasLastBreak || index < pairs.length - 1 ? text : text.trimEnd())),
        );
      }),
    );
  });
});

describe('what the headers allow', () => {
  const statusOf = (headers: Record<string, string>) => {
    const description = describeBody(headers, 1000);
    return description instanceof Refusal ? description.status : description;
  };

  test.each([
    ['application/json', { format: 'document', isGzip: false }],
    ['application/x-ndjson', { format: 'lines', isGzip: false }],
    ['Application/JSON; Charset="UTF-8"; profile=x', { format: 'document', isGzip: false }],
    ['application/json;charset=utf8', { format: 'document', isGzip: false }],
    ['application/json; charset=latin1', 415],
    ['application/json; charset=', 415],
    ['application/json-patch+json', 415],
    ['text/plain', 415],
    ['constructor', 415],
    ['', 415],
  ])('content type %s', (type, expected) => {
    expect(statusOf({ 'content-type': type })).toEqual(expected);
  });

  test('encodings and lengths', () => {
    const json = { 'content-type': 'application/json' };
    expect(statusOf({ ...json, 'content-encoding': 'GZIP' })).toEqual({ format: 'document', isGzip: true });
    expect(statusOf({ ...json, 'content-encoding': 'identity' })).toEqual({ format: 'document', isGzip: false });
    expect(statusOf({ ...json, 'content-encoding': 'gzip, gzip' })).toBe(415);
    expect(statusOf({ ...json, 'content-encoding': 'br' })).toBe(415);
    expect(statusOf({ ...json, 'content-length': '1000' })).toMatchObject({ format: 'document' });
    expect(statusOf({ ...json, 'content-length': '1001' })).toBe(413);
    expect(statusOf({})).toBe(415);
  });
});

describe('what a failed store means for the sender', () => {
  test.each([
    ['RECEIVER_STOPPED', false, 503],
    ['WAL_FULL', true, 503],
    ['WAL_ENTRY_TOO_LARGE', false, 413],
    ['WAL_WRITE_FAILED', false, 500],
    ['WAL_CLOSED', false, 500],
  ] as const)('%s', (code, retriable, status) => {
    const refusal = refusalOfStore(new TidemarkError(code, '/secret/path: no', { retriable }));
    expect(refusal).toMatchObject({ code, status });
    expect(refusal.message).not.toContain('secret');
    expect('retry-after' in refusal.headers).toBe(status === 503);
  });

  test('an error that nobody knows is an unknown outcome', () => {
    expect(refusalOfStore(new Error('no'))).toMatchObject({ code: 'UNKNOWN_OUTCOME', status: 500 });
  });
});
