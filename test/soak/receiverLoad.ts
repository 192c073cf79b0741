import { setTimeout as delay } from 'node:timers/promises';
import { postTo } from '../support/intakeWorld.ts';
import type { KafkaDriverEnvironment } from '../support/kafkaDriverEnvironment.ts';

/** What a sender knows of a record: `unknown` when no answer came, or one that says so. */
type Fate = 'durable' | 'refused' | 'unknown';

const sendersMax = 4;

/** Records for a topic and by HTTP, each with a number of its own; none is sent twice. */
export class ReceiverLoad {
  readonly #environment: KafkaDriverEnvironment;
  readonly #topic: string;
  readonly #port: number;
  readonly #fates = new Map<string, Fate>();
  #numbers = 0;
  #isStopped = false;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(environment: KafkaDriverEnvironment, topic: string, port: number) {
    this.#environment = environment;
    this.#topic = topic;
    this.#port = port;
  }

  async run(): Promise<void> {
    await Promise.all([this.#produce(), ...Array.from({ length: sendersMax }, () => this.#send())]);
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Between two writes to the topic: a broker that goes away would leave unknown what was written. */
  whileNothingIsProduced<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  /** What is wrong with these rows, at any time. */
  problems(payloads: readonly string[]): string | undefined {
    const seen = new Set<string>();
    for (const payload of payloads) {
      if (seen.has(payload)) return `${payload} is in the table twice`;
      seen.add(payload);
      const fate = this.#fates.get(payload);
      if (fate === 'refused') return `${payload} is in the table, and was refused`;
    }
    return undefined;
  }

  /** Durable, and not in the table yet. */
  missing(payloads: readonly string[]): readonly string[] {
    const seen = new Set(payloads);
    return [...this.#fates].flatMap(([payload, fate]) => (fate === 'durable' && !seen.has(payload) ? [payload] : []));
  }

  summary(): string {
    const count = (of: Fate) => [...this.#fates.values()].filter((fate) => fate === of).length;
    return `${count('durable')} records acknowledged, ${count('refused')} refused, ${count('unknown')} without an answer`;
  }

  async #produce(): Promise<void> {
    while (!this.#isStopped) {
      await this.whileNothingIsProduced(async () => {
        const values = Array.from({ length: 10 }, () => this.#next());
        const records = values.map((value) => ({ key: null, value: Buffer.from(value) }));
        for (const value of values) this.#fates.set(value, 'unknown');
        await this.#environment.produce(this.#topic, this.#numbers % 2, records);
        for (const value of values) this.#fates.set(value, 'durable');
      });
      await delay(50);
    }
  }

  async #send(): Promise<void> {
    while (!this.#isStopped) {
      const value = this.#next();
      this.#fates.set(value, 'unknown');
      const status = await postTo(this.#port, value);
      if (status === 200) this.#fates.set(value, 'durable');
      if (status === 429 || status === 503) this.#fates.set(value, 'refused');
      await delay(status === 200 ? 20 : 200);
    }
  }

  #next(): string {
    this.#numbers += 1;
    return `"${this.#numbers}"`;
  }
}
