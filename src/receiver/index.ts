export type { Block, BlockHeader, LoggedBlock } from './block.ts';
export { type DescribedLog, type DescribedStream, LogDescription, type UnreadableEntry } from './describeLog.ts';
export { blockBytesLimitOf } from './logLimits.ts';
export {
  type KafkaReceiverOptions,
  OpenReceivers,
  type ReceiverModeOptions,
  type ReceiverModeSurroundings,
} from './openReceivers.ts';
export type { ReceivedRecord, Receiver, ReceiverContext, ReceiverDefinition } from './receiver.ts';
export type { ReceiverStatus } from './supervisor.ts';
