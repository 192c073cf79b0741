import type { IncomingHttpHeaders } from 'node:http';
import { Refusal } from './refusal.ts';

/** What a request says about its body. */
export interface BodyDescription {
  /** `lines`: one JSON document per line, each a record; `document`: one record. */
  readonly format: 'lines' | 'document';
  readonly isGzip: boolean;
}

const formats: ReadonlyMap<string, BodyDescription['format']> = new Map([
  ['application/x-ndjson', 'lines'],
  ['application/json', 'document'],
]);

/** What follows from the headers alone, before a byte of the body is read. */
export function describeBody(headers: IncomingHttpHeaders, bodyBytesMax: number): BodyDescription | Refusal {
  const [type = '', ...parameters] = (headers['content-type'] ?? '').toLowerCase().split(';');
  const format = formats.get(type.trim());
  if (format === undefined) {
    const allowed = [...formats.keys()].join(' or ');
    return new Refusal('CONTENT_TYPE_UNSUPPORTED', `the content type must be ${allowed}, not '${type.trim()}'`);
  }
  const charset = parameters.map(charsetOf).find((name) => name !== undefined);
  if (charset !== undefined && charset !== 'utf-8' && charset !== 'utf8') {
    return new Refusal('CONTENT_TYPE_UNSUPPORTED', `the charset must be utf-8, not '${charset}'`);
  }
  const encoding = (headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding !== 'gzip' && encoding !== 'identity') {
    return new Refusal('CONTENT_ENCODING_UNSUPPORTED', `the content encoding must be gzip or none, not '${encoding}'`);
  }
  if (Number(headers['content-length'] ?? 0) > bodyBytesMax) return bodyTooLarge(bodyBytesMax);
  return { format, isGzip: encoding === 'gzip' };
}

export function bodyTooLarge(bodyBytesMax: number): Refusal {
  return new Refusal('BODY_TOO_LARGE', `the body has more than ${bodyBytesMax} bytes: send it in parts`);
}

/** Of ` charset="utf-8"`. */
function charsetOf(parameter: string): string | undefined {
  const [name = '', value = ''] = parameter.split('=');
  return name.trim() === 'charset' ? value.trim().replace(/^"(.*)"$/, '$1') : undefined;
}
