import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  decodeFrameHeader,
  decodeSegmentHeader,
  encodeFrameHeader,
  encodeGap,
  encodeSegmentHeader,
  firstIndexOf,
  frameKinds,
  frameSeed,
  indexAfter,
  segmentName,
} from '../../../src/wal/format.ts';
import { FrameScan } from '../../../src/wal/frameScan.ts';
import { frameBody } from '../../../src/wal/segmentFile.ts';
import { decodeSlot, encodeSlot, type LogState, slotBytes } from '../../../src/wal/state.ts';
import { WalDisk } from '../../support/walDisk.ts';

const page = readFileSync('docs/wal-format.md', 'utf8');
const header = { logId: '6f1c2a4e-8d3b-4c57-9a60-1b2e3d4c5f60', firstIndex: 1024n };

/** The bytes of the worked example in docs/wal-format.md. */
function documentedBytes(): Buffer {
  const lines = [...page.matchAll(/^\d{4} {2}((?:[0-9a-f]{2} ?)+)$/gm)].map(([, hex = '']) => hex.replaceAll(' ', ''));
  return Buffer.from(lines.join(''), 'hex');
}

function frame(place: number, text: string): Buffer {
  const { kind, payload, payloadChecksum } = frameBody(frameKinds.entry, Buffer.from(text));
  const bytes = Buffer.alloc(28);
  const index = header.firstIndex + BigInt(place);
  encodeFrameHeader(
    { index, kind, unsyncedBefore: place, payloadBytes: payload.length, payloadChecksum },
    frameSeed(header),
    bytes,
  );
  return Buffer.concat([bytes, payload]);
}

describe('the format', () => {
  test('the documented example is what is written, byte by byte', () => {
    const written = Buffer.concat([encodeSegmentHeader(header), frame(0, 'tide'), frame(1, 'mark')]);
    expect(documentedBytes().toString('hex')).toBe(written.toString('hex'));
    expect(page).toContain(segmentName(header.firstIndex));
    expect(page).toContain(header.logId);
  });

  test('the documented example is read as what it says', async () => {
    const bytes = documentedBytes();
    expect(decodeSegmentHeader(bytes.subarray(0, 40))).toEqual(header);
    const disk = new WalDisk();
    disk.change('/x', bytes);
    const scan = new FrameScan(await disk.open('/x', 'read'), frameSeed(header), 40, bytes.length);
    const frames = await scan.next();
    expect(frames?.map(({ index, byteOffset, payload }) => [index, byteOffset, payload.toString()])).toEqual([
      [1024n, 40, 'tide'],
      [1025n, 72, 'mark'],
    ]);
    expect(frames?.map(({ unsyncedBefore }) => unsyncedBefore)).toEqual([0, 1]);
    expect(await scan.next()).toBeUndefined();
    expect(scan.bad).toBeUndefined();
  });

  test('every flipped bit of a header of a segment, a header of a frame and a slot is noticed', () => {
    const seed = frameSeed(header);
    const state: LogState = {
      ...{ generation: 5n, logId: header.logId, newestSegment: 1n, durableIndex: 2n, lowWatermark: 1n },
      openIds: [header.logId],
    };
    const cases: [bytes: Buffer, length: number, isNoticed: (bytes: Buffer) => boolean][] = [
      [encodeSegmentHeader(header), 40, (bytes) => 'problem' in decodeSegmentHeader(bytes)],
      [frame(0, 'tide'), 28, (bytes) => decodeFrameHeader(bytes, 0, seed) === undefined],
      [encodeSlot(state), 196, (bytes) => 'problem' in decodeSlot(bytes)],
    ];
    for (const [bytes, length, isNoticed] of cases) {
      expect(isNoticed(bytes)).toBe(false);
      for (let bit = 0; bit < length * 8; bit += 1) {
        const broken = Buffer.from(bytes);
        broken.writeUInt8(broken.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        expect(isNoticed(broken), `bit ${bit}`).toBe(true);
      }
    }
  });

  test('a state comes back as it was written, also with no and with all open ids', () => {
    for (const count of [0, 1, 8]) {
      const openIds = Array.from({ length: count }, (_, at) => header.logId.replace(/^./, String(at)));
      const state = {
        generation: 2n ** 63n,
        logId: header.logId,
        newestSegment: 7n,
        durableIndex: 9n,
        lowWatermark: 8n,
      };
      expect(decodeSlot(encodeSlot({ ...state, openIds }))).toEqual({ ...state, openIds });
      expect(encodeSlot({ ...state, openIds })).toHaveLength(slotBytes);
    }
  });

  test('names and gaps', () => {
    expect(firstIndexOf(segmentName(2n ** 64n - 1n))).toBe(2n ** 64n - 1n);
    for (const name of ['1.wal', 'state', '00000000000000000001.wal.tmp', 'x00000000000000000001.wal']) {
      expect(firstIndexOf(name)).toBeUndefined();
    }
    expect(indexAfter(frameKinds.entry, 5n, Buffer.alloc(0))).toBe(6n);
    expect(indexAfter(frameKinds.gap, 5n, encodeGap(90n))).toBe(90n);
  });
});
