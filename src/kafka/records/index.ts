export { ByteLease } from './byteLease.ts';
export { decodedChunk } from './decodedChunk.ts';
export { type DecodedRecord, encodeRecords } from './encodeRecords.ts';
export type { FetchedRecords } from './fetchedRecords.ts';
export { firstTimestampMs } from './firstTimestamp.ts';
export { RecycledMemory } from './recycledMemory.ts';
export { chunkOf } from './scan.ts';
export { storedChunk } from './storedChunk.ts';
