import { describe, expect, it } from 'vitest';
import { type ErrorCode, TidemarkError } from '../../../src/errors.ts';
import type { ReceivedRecord, Receiver, ReceiverContext } from '../../../src/receiver/receiver.ts';
import {
  type ReceiverIntake,
  type ReceiverStatus,
  ReceiverSupervisor,
  type ReceiverSupervisorOptions,
} from '../../../src/receiver/supervisor.ts';
import { ManualClock } from '../../../src/testkit/index.ts';

/** Writes down what is called, and when; what a call does beside that, a test says. */
class ScriptedReceiver implements Receiver {
  readonly calls: string[] = [];
  readonly callsAtMs: number[] = [];
  readonly contexts: ReceiverContext[] = [];
  whenStarted: (context: ReceiverContext) => Promise<void> | void = () => {};
  whenStopped: () => Promise<void> | void = () => {};
  #isBusy = false;
  readonly #clock: ManualClock;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  get context(): ReceiverContext {
    const context = this.contexts.at(-1);
    if (context === undefined) throw new Error('not started yet');
    return context;
  }

  start(context: ReceiverContext): Promise<void> {
    this.contexts.push(context);
    return this.#alone('start', () => this.whenStarted(context));
  }

  stop(): Promise<void> {
    return this.#alone('stop', () => this.whenStopped());
  }

  async #alone(name: string, work: () => Promise<void> | void): Promise<void> {
    this.calls.push(this.#isBusy ? `${name} during another call` : name);
    this.callsAtMs.push(this.#clock.monotonic());
    this.#isBusy = true;
    try {
      await work();
    } finally {
      this.#isBusy = false;
    }
  }
}

class RecordingIntake implements ReceiverIntake {
  readonly stored: unknown[] = [];
  hasRoom = true;
  room = Promise.resolve();

  async store(record: ReceivedRecord): Promise<void> {
    this.stored.push(record);
  }

  async storeBatch(records: readonly ReceivedRecord[]): Promise<void> {
    this.stored.push(records);
  }

  whenRoom(): Promise<void> {
    return this.room;
  }
}

function setting(options: Partial<ReceiverSupervisorOptions> = {}) {
  const clock = new ManualClock();
  const receiver = new ScriptedReceiver(clock);
  const intake = new RecordingIntake();
  const changes: ReceiverStatus[] = [];
  const supervisor = new ReceiverSupervisor(receiver, intake, {
    name: 'orders-in',
    clock,
    onChange: (status) => changes.push(status),
    ...options,
  });
  return { clock, receiver, intake, changes, supervisor };
}

const withCode = (code: ErrorCode) => expect.objectContaining({ code });
const record = { value: 'a' };

function gate() {
  let open = () => {};
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}

describe("as Spark's ReceiverSuite has it", () => {
  it('receiver life cycle', async () => {
    const { clock, receiver, intake, changes, supervisor } = setting();
    expect([receiver.calls, supervisor.status.state]).toEqual([[], 'stopped']);

    supervisor.start();
    await clock.advance(10_000);
    expect(receiver.calls).toEqual(['start']);
    expect(changes.map(({ state }) => state)).toEqual(['starting', 'running']);

    // What is stored reaches the intake once, as the same object.
    const batch = [record, { value: null }];
    await receiver.context.store(record);
    await receiver.context.storeBatch(batch);
    expect(intake.stored).toHaveLength(2);
    expect(intake.stored[0]).toBe(record);
    expect(intake.stored[1]).toBe(batch);

    const cause = new Error('a line without an end');
    receiver.context.reportError('cannot parse', cause);
    expect(supervisor.status).toMatchObject({
      state: 'running',
      lastError: { code: 'RECEIVER_FAILED', message: 'Receiver orders-in: cannot parse: a line without an end', cause },
    });

    receiver.context.restart('restarting', undefined, 100);
    await clock.advance(99);
    expect(receiver.calls).toEqual(['start', 'stop']);
    expect(supervisor.status.state).toBe('restarting');
    await clock.advance(1);
    expect(receiver.calls).toEqual(['start', 'stop', 'start']);
    expect((receiver.callsAtMs[2] ?? 0) - (receiver.callsAtMs[1] ?? 0)).toBe(100);
    expect(supervisor.status).toMatchObject({ state: 'running', restarts: 1 });

    // Spark allows a second; no time passes here.
    await supervisor.stop();
    expect(receiver.calls).toEqual(['start', 'stop', 'start', 'stop']);
    expect(supervisor.status.state).toBe('stopped');
    expect(clock.pendingTimers).toBe(0);
  });

  it('the receiver that stops itself with an error is started again', async () => {
    const { clock, receiver, supervisor } = setting();
    supervisor.start();
    await clock.settle();
    receiver.context.stop('the line is dead', new Error('ECONNRESET'));
    expect(supervisor.status).toMatchObject({ state: 'restarting', lastErrorAtMs: clock.now() });
    await clock.advance(2000);
    expect(receiver.calls).toEqual(['start', 'stop', 'start']);
    expect(supervisor.status).toMatchObject({
      state: 'running',
      restarts: 1,
      lastError: { message: 'Receiver orders-in: the line is dead: ECONNRESET' },
    });
    await supervisor.stop();
  });
});

describe('a start', () => {
  it.each([
    ['rejects', () => Promise.reject(new Error('no port'))],
    [
      'throws',
      () => {
        throw new Error('no port');
      },
    ],
  ])('that %s is undone and repeated after a while, longer and longer, a minute at most', async (_, whenStarted) => {
    const { clock, receiver, supervisor } = setting();
    receiver.whenStarted = whenStarted;
    supervisor.start();
    await clock.settle();
    expect(receiver.calls).toEqual(['start', 'stop']);
    expect(supervisor.status).toMatchObject({
      state: 'restarting',
      lastError: { code: 'RECEIVER_FAILED', message: 'Receiver orders-in: could not be started: no port' },
    });
    await clock.advance(250_000);
    expect(receiver.callsAtMs.filter((_, index) => receiver.calls[index] === 'start')).toEqual([
      0, 2_000, 6_000, 14_000, 30_000, 62_000, 122_000, 182_000, 242_000,
    ]);
    expect(supervisor.status.restarts).toBe(8);
    await supervisor.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  it('that failed waits as long as it is told', async () => {
    const { clock, receiver, supervisor } = setting({ restartDelayMs: 90_000 });
    receiver.whenStarted = () => Promise.reject(new Error('no port'));
    supervisor.start();
    await clock.advance(200_000);
    expect(receiver.callsAtMs.filter((_, index) => receiver.calls[index] === 'start')).toEqual([0, 90_000, 180_000]);
    await supervisor.stop();
  });

  it('that succeeded does not forget the failures before, a minute of running does', async () => {
    const { clock, receiver, supervisor } = setting();
    const fail = () => receiver.context.stop('broken', new Error('broken'));
    supervisor.start();
    await clock.settle();
    fail();
    await clock.advance(2000);
    fail();
    await clock.advance(3999);
    expect(receiver.calls).toHaveLength(4);
    await clock.advance(1);
    expect(receiver.calls).toHaveLength(5);
    await clock.advance(60_000);
    fail();
    await clock.advance(2000);
    expect(receiver.calls).toEqual(['start', 'stop', 'start', 'stop', 'start', 'stop', 'start']);
    await supervisor.stop();
  });

  it('keeps an error of the closed list as it is', async () => {
    const { clock, receiver, supervisor } = setting();
    const error = new TidemarkError('HTTP_LISTEN_FAILED', 'port 80 is taken');
    receiver.whenStarted = () => Promise.reject(error);
    supervisor.start();
    await clock.settle();
    expect(supervisor.status.lastError).toBe(error);
    await supervisor.stop();
  });

  it('is possible once', async () => {
    const { supervisor } = setting();
    supervisor.start();
    expect(() => supervisor.start()).toThrow(withCode('PIPELINE_STATE'));
    await supervisor.stop();
    expect(() => supervisor.start()).toThrow(withCode('PIPELINE_STATE'));
  });
});

describe('a restart', () => {
  it('takes its own delay, or the one of the options', async () => {
    const { clock, receiver, supervisor } = setting({ restartDelayMs: 500 });
    supervisor.start();
    await clock.settle();
    receiver.context.restart('again');
    await clock.advance(499);
    expect(receiver.calls).toEqual(['start', 'stop']);
    await clock.advance(1);
    expect(receiver.calls).toEqual(['start', 'stop', 'start']);
    receiver.context.restart('at once', undefined, 0);
    await clock.advance(0);
    expect(receiver.calls).toHaveLength(5);
    expect(supervisor.status).toMatchObject({ restarts: 2, lastError: undefined, lastErrorAtMs: undefined });
    await supervisor.stop();
  });

  it('counts its delay from when the receiver has stopped', async () => {
    const { clock, receiver, supervisor } = setting();
    receiver.whenStopped = () => clock.sleep(50);
    supervisor.start();
    await clock.settle();
    receiver.context.restart('slow', undefined, 100);
    await clock.advance(1000);
    expect(receiver.callsAtMs).toEqual([0, 0, 150]);
    receiver.whenStopped = () => {};
    await supervisor.stop();
  });

  it('shows its error', async () => {
    const { clock, receiver, supervisor } = setting();
    supervisor.start();
    await clock.advance(5);
    receiver.context.restart('lost', 'gone');
    expect(supervisor.status).toMatchObject({
      state: 'restarting',
      lastError: { code: 'RECEIVER_FAILED', message: 'Receiver orders-in: lost: gone', cause: 'gone' },
      lastErrorAtMs: clock.now(),
    });
    await supervisor.stop();
  });

  it('under way is not changed by what is asked for meanwhile', async () => {
    const { clock, receiver, supervisor } = setting();
    supervisor.start();
    await clock.settle();
    const old = receiver.context;
    old.restart('first', undefined, 100);
    old.restart('second', new Error('second'), 5000);
    old.stop('for good');
    old.stop('failed', new Error('failed'));
    await clock.advance(50);
    old.restart('third', undefined, 5000);
    await clock.advance(50);
    expect(receiver.calls).toEqual(['start', 'stop', 'start']);
    // The context of the start before has no say in this one.
    old.restart('late', undefined, 0);
    old.stop('late');
    old.reportError('late');
    await clock.advance(10_000);
    expect(receiver.calls).toEqual(['start', 'stop', 'start']);
    expect(supervisor.status).toMatchObject({ state: 'running', lastError: undefined });
    await supervisor.stop();
  });

  it('asked for during a start waits for its end', async () => {
    const { clock, receiver, supervisor } = setting();
    const held = gate();
    receiver.whenStarted = (context) => {
      context.restart('not like this', undefined, 100);
      return held.passed;
    };
    supervisor.start();
    await clock.advance(1000);
    expect(receiver.calls).toEqual(['start']);
    receiver.whenStarted = () => {};
    held.open();
    await clock.advance(100);
    expect(receiver.calls).toEqual(['start', 'stop', 'start']);
    await supervisor.stop();
  });
});

describe('a stop', () => {
  it('of the receiver itself, without an error, is for good', async () => {
    const { clock, receiver, changes, supervisor } = setting();
    supervisor.start();
    await clock.settle();
    receiver.context.stop('all is read');
    await clock.advance(600_000);
    expect(receiver.calls).toEqual(['start', 'stop']);
    expect(changes.at(-1)).toMatchObject({ state: 'stopped', restarts: 0, lastError: undefined });
    await supervisor.stop();
    expect(receiver.calls).toEqual(['start', 'stop']);
  });

  it('during a start waits for it, and what the start rejects with then is no error', async () => {
    const { clock, receiver, supervisor } = setting();
    receiver.whenStarted = ({ signal }) => clock.sleep(1000, signal);
    supervisor.start();
    await clock.advance(10);
    expect(supervisor.status.state).toBe('starting');
    await supervisor.stop();
    expect(receiver.calls).toEqual(['start', 'stop']);
    expect(supervisor.status).toMatchObject({ state: 'stopped', lastError: undefined });

    const slow = setting();
    const held = gate();
    slow.receiver.whenStarted = () => held.passed;
    slow.supervisor.start();
    const stopped = slow.supervisor.stop();
    await slow.clock.settle();
    expect(slow.receiver.calls).toEqual(['start']);
    held.open();
    await stopped;
    expect(slow.receiver.calls).toEqual(['start', 'stop']);
    expect(slow.changes.map(({ state }) => state)).toEqual(['starting', 'stopped']);
  });

  it('during a restart does not wait for its delay, and stops nothing twice', async () => {
    const { clock, receiver, supervisor } = setting();
    supervisor.start();
    await clock.settle();
    receiver.context.restart('again', undefined, 100);
    await clock.advance(50);
    await supervisor.stop();
    await clock.advance(1000);
    expect(receiver.calls).toEqual(['start', 'stop']);
    expect([supervisor.status.state, clock.pendingTimers]).toEqual(['stopped', 0]);

    // While the receiver is still stopping for its restart.
    const slow = setting();
    slow.receiver.whenStopped = () => slow.clock.sleep(50);
    slow.supervisor.start();
    await slow.clock.settle();
    slow.receiver.context.restart('again', undefined, 0);
    await slow.clock.advance(10);
    const stopped = slow.supervisor.stop();
    await slow.clock.advance(1000);
    await stopped;
    expect(slow.receiver.calls).toEqual(['start', 'stop']);
  });

  it('during a stop answers the same promise', async () => {
    const { clock, receiver, supervisor } = setting();
    const held = gate();
    receiver.whenStopped = () => held.passed;
    supervisor.start();
    await clock.settle();
    const stopped = supervisor.stop();
    expect(supervisor.stop()).toBe(stopped);
    await clock.settle();
    expect(supervisor.status.state).toBe('running');
    held.open();
    await stopped;
    expect(supervisor.stop()).toBe(stopped);
    expect(receiver.calls).toEqual(['start', 'stop']);
  });

  it('before the start leaves nothing to start', async () => {
    const { receiver, supervisor } = setting();
    await supervisor.stop();
    expect(() => supervisor.start()).toThrow(withCode('PIPELINE_STATE'));
    expect([receiver.calls, supervisor.status.state]).toEqual([[], 'stopped']);
  });

  it.each([
    ['rejects', () => Promise.reject(new Error('still bound'))],
    [
      'throws',
      () => {
        throw new Error('still bound');
      },
    ],
  ])('of a receiver that %s is reported, and the rest goes on', async (_, whenStopped) => {
    const { clock, receiver, intake, supervisor } = setting();
    receiver.whenStopped = whenStopped;
    supervisor.start();
    await clock.settle();
    const { context } = receiver;
    context.restart('again', undefined, 100);
    await clock.settle();
    expect(supervisor.status).toMatchObject({
      state: 'restarting',
      lastError: { code: 'RECEIVER_FAILED', message: 'Receiver orders-in: could not be stopped: still bound' },
      lastErrorAtMs: clock.now(),
    });
    await expect(context.store(record)).rejects.toEqual(withCode('RECEIVER_STOPPED'));
    await clock.advance(100);
    expect(receiver.calls).toEqual(['start', 'stop', 'start']);
    await supervisor.stop();
    expect(supervisor.status).toMatchObject({ state: 'stopped', restarts: 1 });
    expect(intake.stored).toEqual([]);
  });

  it('that fails after a failure does not hide it', async () => {
    const { clock, receiver, changes, supervisor } = setting();
    receiver.whenStarted = () => Promise.reject(new Error('no port'));
    receiver.whenStopped = () => Promise.reject(new Error('no server'));
    supervisor.start();
    await clock.settle();
    expect(changes.map(({ lastError }) => lastError?.message)).toEqual([
      undefined,
      'Receiver orders-in: could not be started: no port',
      'Receiver orders-in: could not be stopped after a failure (Receiver orders-in: could not be started: no port): no server',
    ]);
    await supervisor.stop();
  });
});

describe('the context of a start', () => {
  it('stores until the receiver has stopped, and never again', async () => {
    const { clock, receiver, intake, supervisor } = setting();
    receiver.whenStopped = () => receiver.context.store({ value: 'last' });
    supervisor.start();
    await clock.settle();
    const { context } = receiver;
    expect(context.signal.aborted).toBe(false);
    context.restart('again', undefined, 100);
    expect(context.signal.aborted).toBe(true);
    await clock.settle();
    for (const late of [context.store(record), context.storeBatch([record]), context.whenRoom()]) {
      await expect(late).rejects.toMatchObject({
        code: 'RECEIVER_STOPPED',
        message: 'Receiver orders-in is stopped: again',
      });
    }
    expect(context.hasRoom).toBe(false);
    // Also when the next start is running.
    await clock.advance(100);
    await expect(context.store(record)).rejects.toEqual(withCode('RECEIVER_STOPPED'));
    await receiver.context.store({ value: 'next' });
    expect(receiver.context.signal.aborted).toBe(false);
    expect(intake.stored).toEqual([{ value: 'last' }, { value: 'next' }]);
    receiver.whenStopped = () => {};
    await supervisor.stop();
  });

  it('has the room that the intake has; who waits for it hears of the stop', async () => {
    const { clock, receiver, intake, supervisor } = setting();
    supervisor.start();
    await clock.settle();
    const { context } = receiver;
    expect(context.hasRoom).toBe(true);
    await context.whenRoom();
    intake.hasRoom = false;
    expect(context.hasRoom).toBe(false);
    intake.room = gate().passed;
    const waiting = context.whenRoom();
    receiver.whenStopped = () => waiting.catch(() => {});
    await supervisor.stop();
    await expect(waiting).rejects.toEqual(withCode('RECEIVER_STOPPED'));
  });

  it('gives on what the intake refuses', async () => {
    const { clock, receiver, intake, supervisor } = setting();
    const full = new TidemarkError('WAL_FULL', 'no room');
    intake.storeBatch = () => Promise.reject(full);
    supervisor.start();
    await clock.settle();
    await expect(receiver.context.storeBatch([record])).rejects.toBe(full);
    await supervisor.stop();
  });
});
