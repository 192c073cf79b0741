/** Everything that decides what is measured; goes into the JSON as it is. */
export interface Settings {
  /** Timed runs of each contestant; figures are their medians. */
  readonly runs: number;
  /** Records in the topic, and rows of each run. */
  readonly records: number;
  readonly partitions: number;
  /** Of the topic: about what Kafka's own producer fills its default batch of 16 KiB with. */
  readonly recordsPerBatch: number;
  /** Latency: records produced per second, and seconds that count after seconds that do not. */
  readonly recordsPerSecond: number;
  readonly latencySeconds: number;
  readonly warmUpSeconds: number;
  /** Heap of Kafka's own tools, as their scripts set it. */
  readonly toolHeap: readonly string[];
  /** Of the broker that is started here. The usual collector and compilers, unlike the broker of the tests. */
  readonly brokerJvm: readonly string[];
  /** Over the defaults of the server that is started here. Vacuum would run into some contestants and not into others. */
  readonly postgres: Readonly<Record<string, string>>;
}

export const defaultSettings: Settings = {
  runs: 5,
  records: 2_000_000,
  partitions: 4,
  recordsPerBatch: 80,
  recordsPerSecond: 5_000,
  latencySeconds: 10,
  warmUpSeconds: 4,
  toolHeap: ['-Xms512m', '-Xmx512m'],
  brokerJvm: ['-Xms1g', '-Xmx1g'],
  postgres: { autovacuum: 'off' },
};
