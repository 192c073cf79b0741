import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { messageOf } from '../../errors.ts';
import { bodyTooLarge } from './admission.ts';
import { Refusal } from './refusal.ts';

const unpack = promisify<Buffer, { readonly maxOutputLength: number }, Buffer>(gunzip);

/**
 * The whole body. Whatever is too much is never held: the reading ends with the refusal, and Node throws away what still
 * comes, so that the sender gets to read its answer.
 */
export async function readBody(
  request: IncomingMessage,
  bodyBytesMax: number,
  mayHold: (bytes: number) => boolean,
): Promise<Buffer | Refusal> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  let refusal: Refusal | undefined;
  try {
    // Leaving the loop of a plain iterator would destroy the request: what still comes of it would block its connection.
    for await (const piece of request.iterator({ destroyOnReturn: false })) {
      bytes += piece.length;
      if (bytes > bodyBytesMax) refusal = bodyTooLarge(bodyBytesMax);
      else if (!mayHold(piece.length)) refusal = new Refusal('NO_ROOM', 'too many requests are under way');
      if (refusal !== undefined) break;
      pieces.push(piece);
    }
  } catch {
    return new Refusal('BODY_CUT_OFF', 'the request ended in the middle of its body');
  }
  if (refusal === undefined) return Buffer.concat(pieces, bytes);
  request.resume();
  return refusal;
}

/** What a gzip body unpacks to; a bomb is given up at the limit. */
export async function unpackBody(packed: Buffer, bodyBytesMax: number): Promise<Buffer | Refusal> {
  try {
    return await unpack(packed, { maxOutputLength: bodyBytesMax });
  } catch (error) {
    const isTooLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    return isTooLarge
      ? bodyTooLarge(bodyBytesMax)
      : new Refusal('BODY_INVALID', `the body is not gzip: ${messageOf(error)}`);
  }
}
