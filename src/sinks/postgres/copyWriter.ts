import { ByteWriter } from './byteWriter.ts';

/** Bytes of a frame: larger ones gained nothing, smaller ones cost system calls (bench/micro/copy.ts). */
export const frameBytes = 65_536;
/** Frames kept for reuse. */
const pooledFramesMax = 32;
const messageHeaderBytes = 5;
const copyData = 0x64;
const copyDone = 0x63;
const copyFail = 0x66;
const query = 0x51;

/** Buffers of one size, used again once the socket has taken their bytes. */
export class FramePool {
  readonly #free: Buffer[] = [];

  take(bytes: number): Buffer {
    // A buffer of its own and not a slice of Node's shared pool, which a large transaction would keep from being freed.
    if (bytes > frameBytes) return Buffer.allocUnsafeSlow(bytes);
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(frameBytes);
  }

  give(frame: Buffer): void {
    if (frame.length === frameBytes && this.#free.length < pooledFramesMax) this.#free.push(frame);
  }
}

/** Takes a frame of which the first `length` bytes are to be sent; gives it back to the pool when the socket has taken them. */
export type SendFrame = (frame: Buffer, length: number) => void;

/**
 * The bytes of a transaction as they go over the wire: queries, and the data of COPY in CopyData messages, cut into
 * frames that are sent as they fill up.
 *
 * Everything behind the mark can still be taken back; so a frame is sent up to the mark only, and what is behind it moves to
 * the next one. The caller marks the start of each record.
 */
export class CopyWriter extends ByteWriter {
  readonly #frames: FramePool;
  readonly #send: SendFrame;
  /** Where the open CopyData message begins, -1 = none is open. */
  #messageStart = -1;
  #mark = 0;

  constructor(frames: FramePool, send: SendFrame) {
    super(frames.take(frameBytes));
    this.#frames = frames;
    this.#send = send;
  }

  /** A Query message. */
  query(text: string): void {
    const length = Buffer.byteLength(text);
    this.ensure(length + 6);
    this.bytes[this.position] = query;
    this.view.setInt32(this.position + 1, length + 5);
    this.bytes.write(text, this.position + messageHeaderBytes);
    this.bytes[this.position + messageHeaderBytes + length] = 0;
    this.position += length + 6;
    this.mark();
  }

  /** Begins the data of a COPY. */
  beginData(): void {
    this.ensure(messageHeaderBytes);
    this.#messageStart = this.position;
    this.bytes[this.position] = copyData;
    this.position += messageHeaderBytes;
    this.mark();
  }

  /** Ends the data of a COPY, well or with a refusal of what was sent so far. */
  endData(failed = false): void {
    this.ensure(messageHeaderBytes + 1);
    this.#closeMessage(this.position);
    this.bytes[this.position] = failed ? copyFail : copyDone;
    this.view.setInt32(this.position + 1, failed ? 5 : 4);
    this.position += messageHeaderBytes;
    if (failed) this.bytes[this.position++] = 0;
    this.mark();
  }

  /** Ends the open message: what there is so far can be flushed. `beginData` goes on with the same COPY. */
  pauseData(): void {
    this.#closeMessage(this.position);
    this.mark();
  }

  mark(): void {
    this.#mark = this.position;
  }

  /** Takes back everything behind the mark. */
  rewind(): void {
    this.position = this.#mark;
  }

  /** Sends everything; no CopyData message may be open. */
  flush(): void {
    if (this.position === 0) return;
    const { bytes, position } = this;
    this.use(this.#frames.take(frameBytes));
    this.position = 0;
    this.#mark = 0;
    this.#send(bytes, position);
  }

  /** Gives the buffer back; the writer must not be used again. */
  release(): void {
    this.#frames.give(this.bytes);
    this.forgetSource();
  }

  protected override grow(length: number): void {
    const start = this.#messageStart;
    const isOpen = start >= 0;
    const header = isOpen ? messageHeaderBytes : 0;
    // An open message without content is not sent but begun again in the next frame.
    const isEmpty = isOpen && this.#mark === start + messageHeaderBytes;
    const sendable = isEmpty ? start : this.#mark;
    const tail = this.position - this.#mark;
    const full = this.bytes;
    if (sendable === 0) {
      const larger = this.#frames.take(Math.max(full.length * 2, this.position + length));
      larger.set(full.subarray(0, this.position));
      this.use(larger);
      this.#frames.give(full);
      return;
    }
    if (isOpen && !isEmpty) this.view.setInt32(start + 1, this.#mark - start - 1);
    const next = this.#frames.take(header + tail + length);
    next.set(full.subarray(this.#mark, this.position), header);
    this.use(next);
    if (isOpen) {
      next[0] = copyData;
      this.#messageStart = 0;
    }
    this.#mark = header;
    this.position = header + tail;
    this.#send(full, sendable);
  }

  #closeMessage(end: number): void {
    const start = this.#messageStart;
    this.view.setInt32(start + 1, end - start - 1);
    this.#messageStart = -1;
  }
}
