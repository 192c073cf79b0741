/**
 * A process for crash tests of the write-ahead log, on the built package: walWorker.mjs append|hold|fill DIR.
 * It tells what it does as lines of JSON; standard output is a file, so what is told outlives the process.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openWal } from '../../dist/wal/index.js';

const [, , what = '', dir = ''] = process.argv;
const run = process.env.WAL_RUN ?? 'run';
const limits = { dir, segmentBytesMax: 20_000, entryBytesMax: 8_000 };
const callers = 4;

function say(event, facts = {}) {
  process.stdout.write(`${JSON.stringify({ event, ...facts })}\n`);
}

/** The text tells the entry, the length varies. */
function payloadOf(name) {
  return Buffer.from(
    `${name} `.padEnd(50 + ((name.length * 7_919 + name.charCodeAt(name.length - 1) * 911) % 3_000), '.'),
  );
}

async function append(log, name) {
  say('appended', { name });
  const { index } = await log.append(payloadOf(name));
  say('acknowledged', { name, index: String(index) });
}

const works = {
  /** Callers that append, and a low watermark that follows them with some way between. */
  async append() {
    const log = await openWal(limits);
    say('opened', { tornTail: log.recovery.tornTail !== undefined });
    const caller = async (number) => {
      for (let at = 0; at < 40; at += 1) {
        await append(log, `${run}-${number}-${at}`);
        if (number > 0 || at % 5 !== 4) continue;
        const done = log.nextIndex - 20n;
        if (done > log.lowWatermark) say('advancing', { to: String(done) });
        if (done > log.lowWatermark) await log.advance(done);
      }
    };
    await Promise.all(Array.from({ length: callers }, (_, number) => caller(number)));
    await log.close();
    say('closed');
  },

  /** Holds the directory until it is killed. */
  async hold() {
    await openWal(limits);
    say('opened');
    setInterval(() => {}, 1_000);
  },

  /** Fills the disk, makes room, goes on with the same writer, and looks at it as a new one. */
  async fill() {
    const ballast = join(dir, '..', 'ballast');
    writeFileSync(ballast, Buffer.alloc(300_000));
    const log = await openWal(limits);
    const acknowledged = [];
    const one = async (name) => {
      await log.append(payloadOf(name));
      acknowledged.push(name);
    };
    let refused = 0;
    for (let round = 0; refused < 20; round += 1) {
      const works = Array.from({ length: callers }, (_, number) => one(`full-${number}-${round}`));
      for (const { status, reason } of await Promise.allSettled(works)) {
        if (status === 'rejected' && reason.code !== 'WAL_FULL') throw reason;
        if (status === 'rejected') refused += 1;
      }
    }
    const before = acknowledged.length;
    rmSync(ballast);
    for (let at = 0; at < 20; at += 1) await one(`after-${at}`);
    await log.close();
    const again = await openWal(limits);
    const found = [];
    for await (const { payload } of again.read()) found.push(payload.toString().split(' ')[0]);
    await again.close();
    const missing = acknowledged.filter((name) => !found.includes(name));
    say('filled', { before, refused, acknowledged: acknowledged.length, found: found.length, missing });
  },
};

await works[what]();
