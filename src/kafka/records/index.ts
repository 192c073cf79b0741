export { ByteLease } from './byteLease.ts';
export { decodedChunk } from './decodedChunk.ts';
export type { DecodedRecord } from './encodeRecords.ts';
export type { FetchedRecords } from './fetchedRecords.ts';
export { chunkOf } from './scan.ts';
