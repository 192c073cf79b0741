/** Every metric of `/metrics`, with its kind, labels and meaning. docs/metrics.md repeats it. */
export const metrics = {
  records: {
    name: 'tidemark_records_total',
    kind: 'counter',
    labels: ['pipeline', 'topic', 'partition'],
    help: 'Records of committed ranges.',
  },
  rows: {
    name: 'tidemark_rows_total',
    kind: 'counter',
    labels: ['pipeline', 'topic', 'partition'],
    help: 'Rows written by committed ranges.',
  },
  dropped: {
    name: 'tidemark_records_dropped_total',
    kind: 'counter',
    labels: ['pipeline', 'topic', 'partition'],
    help: 'Records of committed ranges the transform returned nothing for.',
  },
  skipped: {
    name: 'tidemark_records_skipped_total',
    kind: 'counter',
    labels: ['pipeline', 'topic', 'partition'],
    help: 'Records of committed ranges passed over by policy or command.',
  },
  gapOffsets: {
    name: 'tidemark_gap_offsets_total',
    kind: 'counter',
    labels: ['pipeline', 'topic', 'partition'],
    help: 'Offsets given up by an accepted loss.',
  },
  retries: {
    name: 'tidemark_range_retries_total',
    kind: 'counter',
    labels: ['pipeline', 'topic', 'partition'],
    help: 'Ranges that failed and are done again.',
  },
  fenced: {
    name: 'tidemark_fenced_total',
    kind: 'counter',
    labels: ['pipeline', 'topic', 'partition'],
    help: 'Times another process took the partition from this one.',
  },
  committedOffset: {
    name: 'tidemark_committed_offset',
    kind: 'gauge',
    labels: ['pipeline', 'topic', 'partition'],
    help: 'Committed offset: the next one to read.',
  },
  lag: {
    name: 'tidemark_lag_offsets',
    kind: 'gauge',
    labels: ['pipeline', 'topic', 'partition'],
    help: 'Offsets between the committed and the last stable one, of partitions this process holds.',
  },
  lagSeconds: {
    name: 'tidemark_lag_seconds',
    kind: 'gauge',
    labels: ['pipeline', 'topic', 'partition'],
    help: 'Age of the first record that is not committed, of partitions this process holds; 0 without lag, absent while it is not known.',
  },
  partitions: {
    name: 'tidemark_partitions',
    kind: 'gauge',
    labels: ['pipeline', 'state'],
    help: 'Partitions by state: running, paused, parked, standby.',
  },
  ready: {
    name: 'tidemark_ready',
    kind: 'gauge',
    labels: ['pipeline'],
    help: '1 while the pipeline is ready as /health/ready says, 0 otherwise.',
  },
  degraded: {
    name: 'tidemark_degraded',
    kind: 'gauge',
    labels: ['pipeline', 'what'],
    help: '1 while something is being retried: kafka, store, sink, log, rate, eventLoop, mirror.',
  },
  rateLimit: {
    name: 'tidemark_rate_limit_records_per_second',
    kind: 'gauge',
    labels: ['pipeline'],
    help: 'Newest estimate of back-pressure over all partitions.',
  },
  receiveRateLimit: {
    name: 'tidemark_receive_rate_limit_records_per_second',
    kind: 'gauge',
    labels: ['pipeline'],
    help: 'Receiver mode: records that may be taken in at present, by maxRate and back-pressure; 0 = unlimited.',
  },
  waitingBlocks: {
    name: 'tidemark_waiting_blocks',
    kind: 'gauge',
    labels: ['pipeline'],
    help: 'Receiver mode: blocks that are durable and not committed.',
  },
  waitingBytes: {
    name: 'tidemark_waiting_bytes',
    kind: 'gauge',
    labels: ['pipeline'],
    help: 'Receiver mode: bytes of the blocks that are durable and not committed.',
  },
  blocksLogged: {
    name: 'tidemark_blocks_logged_total',
    kind: 'counter',
    labels: ['pipeline', 'topic', 'partition'],
    help: 'Blocks made durable.',
  },
  recordsLogged: {
    name: 'tidemark_records_logged_total',
    kind: 'counter',
    labels: ['pipeline', 'topic', 'partition'],
    help: 'Records in blocks made durable; of Kafka an upper bound.',
  },
  bytesLogged: {
    name: 'tidemark_bytes_logged_total',
    kind: 'counter',
    labels: ['pipeline', 'topic', 'partition'],
    help: 'Bytes of records in blocks made durable, as they lie in the log.',
  },
  blocksDiscarded: {
    name: 'tidemark_blocks_discarded_total',
    kind: 'counter',
    labels: ['pipeline', 'topic', 'partition', 'cause'],
    help: 'Durable blocks that are never committed, Kafka having the records: received under another claim (claim), the partition goes on elsewhere (seek), it was given up (release).',
  },
  receivers: {
    name: 'tidemark_receivers',
    kind: 'gauge',
    labels: ['pipeline', 'receiver', 'state'],
    help: '1 for the state of a receiver: starting, running, restarting, stopped.',
  },
  receiverRestarts: {
    name: 'tidemark_receiver_restarts_total',
    kind: 'counter',
    labels: ['pipeline', 'receiver'],
    help: 'Starts of a receiver after the first one.',
  },
  logSyncSeconds: {
    name: 'tidemark_log_sync_seconds',
    kind: 'histogram',
    labels: ['pipeline'],
    help: 'Time of an fsync of the write-ahead log.',
  },
  commitSeconds: {
    name: 'tidemark_range_commit_seconds',
    kind: 'histogram',
    labels: ['pipeline'],
    help: 'Time of a range from its first record read to the answer of its commit.',
  },
  processingSeconds: {
    name: 'tidemark_batch_processing_seconds',
    kind: 'histogram',
    labels: ['pipeline'],
    help: 'Time a batch ran.',
  },
  schedulingSeconds: {
    name: 'tidemark_batch_scheduling_delay_seconds',
    kind: 'histogram',
    labels: ['pipeline'],
    help: 'Time a batch waited for its turn.',
  },
  buildInfo: {
    name: 'tidemark_build_info',
    kind: 'gauge',
    labels: ['version', 'node'],
    help: 'Always 1.',
  },
  residentMemory: {
    name: 'process_resident_memory_bytes',
    kind: 'gauge',
    labels: [],
    help: 'Resident memory of the process.',
  },
  cpuSeconds: {
    name: 'process_cpu_seconds_total',
    kind: 'counter',
    labels: [],
    help: 'User and system CPU time of the process.',
  },
  startTime: {
    name: 'process_start_time_seconds',
    kind: 'gauge',
    labels: [],
    help: 'Start of the process, in seconds since 1970.',
  },
} as const satisfies Record<string, MetricDefinition>;

export interface MetricDefinition {
  readonly name: string;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  readonly help: string;
}
