import { describe, expect, test } from 'vitest';
import { crc32c } from '../../../src/platform/index.ts';
import type { Damage } from '../../../src/wal/damage.ts';
import { encodeFrameHeader, encodeSegmentHeader, frameKinds, frameSeed } from '../../../src/wal/format.ts';
import { inspectWal } from '../../../src/wal/index.ts';
import { everythingSurvives, nothingSurvives, type WalDisk } from '../../support/walDisk.ts';
import { dir, diskWith, failure, firstSegment, frameHeader, openOn, payloadsOf, segmentHeader } from './walSetting.ts';

const texts = ['one', 'two', 'three', 'four'];
/** Where the frames of `texts` begin; the fifth is the end. */
const [first, second, third, end] = [0, 1, 2, texts.length].map((count) =>
  texts.slice(0, count).reduce((sum, text) => sum + frameHeader + text.length, segmentHeader),
) as [number, number, number, number];
const small = { segmentBytesMax: 80, entryBytesMax: 12 };
const stateFile = `${dir}/state`;

function flip(disk: WalDisk, path: string, byte: number): void {
  const bytes = Buffer.from(disk.bytes(path));
  bytes.writeUInt8(bytes.readUInt8(byte) ^ 0x10, byte);
  disk.change(path, bytes);
}

function cut(disk: WalDisk, path: string, length: number): void {
  disk.change(path, disk.bytes(path).subarray(0, length));
}

/** A disk whose log was not closed: the state knows of nothing. Entries are groups of their own, `together` one group. */
async function killedWith(alone: readonly string[], together: readonly string[] = []): Promise<WalDisk> {
  const disk = await diskWith([]);
  const log = await openOn(disk);
  for (const text of alone) await log.append(Buffer.from(text));
  await Promise.all(together.map((text) => log.append(Buffer.from(text))));
  disk.kill();
  return disk;
}

describe('a torn tail is cut, told and kept aside; and the log goes on', () => {
  test.each<[what: string, together: readonly string[], breaks: (disk: WalDisk) => void, left: readonly string[]]>([
    ['half a header', [], (disk) => cut(disk, firstSegment, third + 10), ['one', 'two']],
    ['half a payload', [], (disk) => cut(disk, firstSegment, end - 1), ['one', 'two', 'three']],
    ['a bad payload with nothing behind it', [], (disk) => flip(disk, firstSegment, end - 1), ['one', 'two', 'three']],
    [
      'text that does not belong',
      [],
      (disk) =>
        disk.change(firstSegment, Buffer.concat([disk.bytes(firstSegment), Buffer.from('This line was appended!')])),
      texts,
    ],
    [
      'zeros',
      [],
      (disk) => disk.change(firstSegment, Buffer.concat([disk.bytes(firstSegment), Buffer.alloc(5_000)])),
      texts,
    ],
    [
      'a bad entry, and behind it the rest of its group',
      ['five', 'six', 'seven'],
      (disk) => flip(disk, firstSegment, end + frameHeader),
      texts,
    ],
  ])('%s', async (_, together, breaks, left) => {
    const disk = await killedWith(texts, together);
    breaks(disk);
    const broken = Buffer.from(disk.bytes(firstSegment));
    const found = await inspectWal(dir, undefined, { files: disk });
    expect(found.damages).toEqual([]);
    expect(disk.bytes(firstSegment), 'a look changes nothing').toEqual(broken);
    const log = await openOn(disk);
    const { tornTail } = log.recovery;
    expect(tornTail).toMatchObject({ path: firstSegment, untilByte: broken.length });
    expect(found.tornTail).toMatchObject({ byteOffset: tornTail?.byteOffset });
    expect(disk.bytes(tornTail?.keptIn ?? '')).toEqual(broken.subarray(tornTail?.byteOffset));
    expect(await payloadsOf(log)).toEqual(left);
    await log.append(Buffer.from('more'));
    disk.restart(nothingSurvives);
    const again = await openOn(disk);
    expect(again.recovery.tornTail).toBeUndefined();
    expect(await payloadsOf(again)).toEqual([...left, 'more']);
  });

  test('torn twice at the same place: both are kept', async () => {
    const disk = await killedWith(texts);
    for (const name of ['torn-00000000000000000000-167', 'torn-00000000000000000000-167-2']) {
      cut(disk, firstSegment, end - 1);
      const log = await openOn(disk);
      expect(log.recovery.tornTail?.keptIn).toBe(`${dir}/${name.replace('167', String(end - 32))}`);
      await log.append(Buffer.from('four'));
      disk.kill();
    }
  });

  test('one torn slot of the state', async () => {
    for (const byte of [20, 4096 + 20]) {
      const disk = await diskWith(texts);
      flip(disk, stateFile, byte);
      const log = await openOn(disk);
      expect(log.recovery.tornState).toMatchObject({ path: stateFile, byteOffset: byte - 20 });
      expect(await payloadsOf(log)).toEqual(texts);
      await log.close();
      expect((await inspectWal(dir, undefined, { files: disk })).tornSlot?.byteOffset).toBeUndefined();
    }
  });
});

describe('damage stops an opening, with file and byte, and changes nothing', () => {
  const cases: readonly [
    what: string,
    make: () => Promise<WalDisk>,
    breaks: (disk: WalDisk) => void,
    found: Partial<Damage>,
  ][] = [
    [
      'a flipped bit in the payload of the last entry of a closed log',
      () => diskWith(texts),
      (disk) => flip(disk, firstSegment, end - 1),
      { code: 'WAL_CORRUPT', byteOffset: end - 32 },
    ],
    [
      'a flipped bit in a length',
      () => diskWith(texts),
      (disk) => flip(disk, firstSegment, second + 6),
      { code: 'WAL_CORRUPT', byteOffset: second },
    ],
    [
      'a flipped bit with later groups behind it',
      () => killedWith(texts),
      (disk) => flip(disk, firstSegment, first + frameHeader),
      { code: 'WAL_CORRUPT', byteOffset: first },
    ],
    [
      'zeros over an entry with later groups behind it',
      () => killedWith(texts),
      (disk) => zeros(disk, second, third),
      { code: 'WAL_CORRUPT', byteOffset: second },
    ],
    [
      'the end of a closed log cut off between entries',
      () => diskWith(texts),
      (disk) => cut(disk, firstSegment, third),
      { code: 'WAL_SEGMENT_MISSING', byteOffset: third },
    ],
    [
      'a flipped bit in an older segment',
      () => diskWith(texts, small),
      (disk) => flip(disk, firstSegment, first + frameHeader),
      { code: 'WAL_CORRUPT', byteOffset: first },
    ],
    [
      'an older segment cut short',
      () => diskWith(texts, small),
      (disk) => cut(disk, firstSegment, first + 5),
      { code: 'WAL_CORRUPT', byteOffset: first },
    ],
    [
      'a missing segment between others',
      () => diskWith(texts, small),
      (disk) => disk.move(`${dir}/00000000000000000001.wal`),
      { code: 'WAL_SEGMENT_MISSING', path: `${dir}/00000000000000000001.wal` },
    ],
    [
      'the first segment missing',
      () => diskWith(texts, small),
      (disk) => disk.move(firstSegment),
      { code: 'WAL_SEGMENT_MISSING', path: firstSegment },
    ],
    [
      'the newest segment missing',
      () => diskWith(texts, small),
      (disk) => disk.move(`${dir}/00000000000000000003.wal`),
      { code: 'WAL_SEGMENT_MISSING', path: `${dir}/00000000000000000003.wal` },
    ],
    [
      'no segment at all',
      () => diskWith(texts),
      (disk) => disk.move(firstSegment),
      { code: 'WAL_SEGMENT_MISSING', path: firstSegment },
    ],
    [
      'a segment under another name',
      () => diskWith(texts, small),
      (disk) => disk.move(`${dir}/00000000000000000003.wal`, `${dir}/00000000000000000004.wal`),
      { code: 'WAL_SEGMENT_MISSING' },
    ],
    [
      'a flipped bit in the header of a segment',
      () => diskWith(texts),
      (disk) => flip(disk, firstSegment, 14),
      { code: 'WAL_CORRUPT', byteOffset: 0 },
    ],
    [
      'no header',
      () => diskWith(texts),
      (disk) => disk.change(firstSegment, Buffer.alloc(0)),
      { code: 'WAL_CORRUPT', byteOffset: 0 },
    ],
    [
      'a file of something else',
      () => diskWith(texts),
      (disk) => disk.change(firstSegment, Buffer.alloc(100, 'x')),
      { code: 'WAL_CORRUPT', byteOffset: 0 },
    ],
    [
      'a segment of another version',
      () => diskWith(texts),
      (disk) => setVersion(disk, firstSegment, 8),
      { code: 'WAL_VERSION_UNSUPPORTED', byteOffset: 8 },
    ],
    [
      'a state of another version',
      () => diskWith(texts),
      (disk) => [8, 4104].map((at) => setVersion(disk, stateFile, at)),
      { code: 'WAL_VERSION_UNSUPPORTED', path: stateFile, byteOffset: 8 },
    ],
    [
      'a segment of another log',
      () => diskWith(texts),
      (disk) => disk.change(firstSegment, segmentOf([['one', 0]], '00000000-0000-4000-8000-000000000000')),
      { code: 'WAL_SEGMENT_FOREIGN', byteOffset: 12 },
    ],
    [
      'a length beyond the limit',
      () => killedWith(texts),
      (disk) => append(disk, [4, 300 * 1_048_576]),
      { code: 'WAL_CORRUPT', byteOffset: end },
    ],
    [
      'an entry that is there twice',
      () => killedWith(texts),
      (disk) => append(disk, [3, 4]),
      { code: 'WAL_CORRUPT', byteOffset: end },
    ],
    [
      'an entry that is left out',
      () => killedWith(texts),
      (disk) => append(disk, [5, 4]),
      { code: 'WAL_CORRUPT', byteOffset: end },
    ],
    [
      'no state',
      () => diskWith(texts),
      (disk) => disk.move(stateFile),
      { code: 'WAL_SEGMENT_MISSING', path: stateFile },
    ],
    [
      'both slots of the state broken',
      () => diskWith(texts),
      (disk) => [30, 4126].map((at) => flip(disk, stateFile, at)),
      { code: 'WAL_CORRUPT', path: stateFile, byteOffset: 0 },
    ],
  ];

  test.each(cases)('%s', async (_, make, breaks, expected) => {
    const disk = await make();
    breaks(disk);
    const before = contentsOf(disk);
    const error = await failure(openOn(disk), expected.code ?? 'WAL_CORRUPT');
    const place = { path: error.path, byteOffset: error.byteOffset };
    expect({ ...expected, ...place }).toEqual({ ...place, ...expected });
    expect(error.message).toContain(`${error.path}, byte ${error.byteOffset}: `);
    expect(error.hint).toBeDefined();
    disk.restart(everythingSurvives);
    expect(contentsOf(disk)).toEqual(before);
    const { damages } = await inspectWal(dir, undefined, { files: disk });
    expect(damages[0]).toMatchObject({ code: error.code, ...place });
  });
});

/** Without locks: that of a dead process is removed. */
function contentsOf(disk: WalDisk): readonly string[] {
  const names = disk.names().filter((name) => !name.startsWith('lock-'));
  return names.map((name) => `${name} ${disk.bytes(`${dir}/${name}`).toString('hex')}`);
}

function zeros(disk: WalDisk, from: number, until: number): void {
  disk.change(firstSegment, Buffer.from(disk.bytes(firstSegment)).fill(0, from, until));
}

function setVersion(disk: WalDisk, path: string, at: number): void {
  const bytes = Buffer.from(disk.bytes(path));
  bytes.writeUInt32BE(2, at);
  disk.change(path, bytes);
}

/** A segment from 0 on with right checksums, each entry a group of its own. */
function segmentOf(entries: readonly (readonly [text: string, index: number])[], logId: string): Buffer {
  const header = { logId, firstIndex: 0n };
  const frames = entries.map(([text, index]) => frameOf(header.logId, BigInt(index), Buffer.from(text), text.length));
  return Buffer.concat([encodeSegmentHeader(header), ...frames]);
}

function frameOf(logId: string, index: bigint, payload: Buffer, payloadBytes: number): Buffer {
  const bytes = Buffer.alloc(frameHeader);
  const seed = frameSeed({ logId, firstIndex: 0n });
  const payloadChecksum = crc32c(payload);
  encodeFrameHeader({ index, kind: frameKinds.entry, unsyncedBefore: 0, payloadBytes, payloadChecksum }, seed, bytes);
  return Buffer.concat([bytes, payload]);
}

/** Appends a frame with right checksums that says what no writer of ours would. */
function append(disk: WalDisk, [index, payloadBytes]: readonly [number, number]): void {
  const present = disk.bytes(firstSegment);
  const hex = present.subarray(12, 28).toString('hex');
  const logId = hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  const frame = frameOf(logId, BigInt(index), Buffer.from('fake'), payloadBytes);
  disk.change(firstSegment, Buffer.concat([present, frame]));
}
