import type { Clock } from '../../platform/index.ts';

/** What a call is about; a rule matches the calls that agree with it in everything it names. */
export interface CallFacts {
  readonly topic?: string;
  readonly partition?: number;
  readonly groupId?: string;
  /** The name of the driver or process that calls. */
  readonly client?: string;
}

/** Before the call has any effect (default), or after it: then only its answer is late or lost. */
export interface FaultOptions {
  readonly at?: 'request' | 'answer';
}

/** Calls that are held. They wait in the order in which they came; releasing them in another one reorders them. */
export interface Hold {
  /** Calls that wait now. */
  readonly waiting: readonly HeldCall[];
  /** Resolves when so many calls wait. Default 1. */
  waited(count?: number): Promise<void>;
  /** Lets all calls go on, and those to come pass. */
  release(): void;
}

export interface HeldCall {
  readonly facts: CallFacts;
  release(): void;
  /** Ends the call with an error in place of letting it go on. */
  fail(error?: Error): void;
}

/** A rule that stays until it is removed or used up. */
export interface Fault {
  /** Calls it has met. */
  readonly met: number;
  remove(): void;
}

interface Rule<Call extends string> {
  readonly call: Call;
  readonly match: CallFacts;
  readonly at: 'request' | 'answer';
  /** Undefined: the rule lets this one pass. */
  apply(facts: CallFacts, signal: AbortSignal): Promise<void> | undefined;
}

/**
 * What goes wrong between a client and a service, by order of a test. Rules apply in the order in which they were made.
 *
 * ```ts
 * const hold = cluster.faults.hold('fetch', { topic: 'orders' });
 * await hold.waited();
 * cluster.moveLeader('orders', 0);
 * hold.release();
 * ```
 */
export class Faults<Call extends string> {
  readonly #clock: Clock;
  readonly #lost: (call: Call) => Error;
  readonly #rules = new Set<Rule<Call>>();

  /** `lost`: the error of a call that fails without another being named. */
  constructor(clock: Clock, lost: (call: Call) => Error) {
    this.#clock = clock;
    this.#lost = lost;
  }

  /** Keeps calls waiting until they are released. */
  hold(call: Call, match: CallFacts = {}, { at = 'request' }: FaultOptions = {}): Hold {
    const waiting: HeldCall[] = [];
    let arrived = () => {};
    const rule: Rule<Call> = {
      call,
      match,
      at,
      apply: (facts, signal) =>
        new Promise((resolve, reject) => {
          const end = (then: () => void) => {
            signal.removeEventListener('abort', onAbort);
            const index = waiting.indexOf(held);
            if (index < 0) return;
            waiting.splice(index, 1);
            then();
          };
          const onAbort = () => end(() => reject(signal.reason));
          const held: HeldCall = {
            facts,
            release: () => end(resolve),
            fail: (error = this.#lost(call)) => end(() => reject(error)),
          };
          signal.addEventListener('abort', onAbort, { once: true });
          waiting.push(held);
          arrived();
        }),
    };
    this.#rules.add(rule);
    return {
      waiting,
      waited: async (count = 1) => {
        while (waiting.length < count) {
          await new Promise<void>((resolve) => {
            const before = arrived;
            arrived = () => {
              before();
              resolve();
            };
          });
        }
      },
      release: () => {
        this.#rules.delete(rule);
        for (const held of [...waiting]) held.release();
      },
    };
  }

  /** Makes calls wait for `ms` by the clock. */
  delay(call: Call, ms: number, match: CallFacts = {}, { at = 'request' }: FaultOptions = {}): Fault {
    return this.#counting(call, match, at, Number.POSITIVE_INFINITY, (_, signal) => this.#clock.sleep(ms, signal));
  }

  /**
   * Makes calls fail, `times` of them (default 1). `error`: default one that is worth a retry, as of a connection that was
   * lost. With `at: 'answer'` the call has happened all the same.
   */
  fail(
    call: Call,
    match: CallFacts = {},
    { times = 1, error, at = 'request' }: FaultOptions & { readonly times?: number; readonly error?: Error } = {},
  ): Fault {
    return this.#counting(call, match, at, times, () => Promise.reject(error ?? this.#lost(call)));
  }

  /** Ends every rule; what is held goes on only when it is released. */
  clear(): void {
    this.#rules.clear();
  }

  /** Lets a call pass by the rules for one side of it. For implementations of a service. */
  async meet(call: Call, at: 'request' | 'answer', facts: CallFacts, signal: AbortSignal): Promise<void> {
    for (const rule of [...this.#rules]) {
      if (rule.call === call && rule.at === at && agrees(rule.match, facts)) await rule.apply(facts, signal);
    }
  }

  #counting(
    call: Call,
    match: CallFacts,
    at: 'request' | 'answer',
    times: number,
    apply: (facts: CallFacts, signal: AbortSignal) => Promise<void>,
  ): Fault {
    let met = 0;
    const rule: Rule<Call> = {
      call,
      match,
      at,
      apply: (facts, signal) => {
        met += 1;
        if (met >= times) this.#rules.delete(rule);
        return met > times ? undefined : apply(facts, signal);
      },
    };
    this.#rules.add(rule);
    return {
      get met() {
        return met;
      },
      remove: () => this.#rules.delete(rule),
    };
  }
}

function agrees(match: CallFacts, facts: CallFacts): boolean {
  return (['topic', 'partition', 'groupId', 'client'] as const).every(
    (key) => match[key] === undefined || match[key] === facts[key],
  );
}
