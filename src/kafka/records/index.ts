export type { FetchedRecords } from './fetchedRecords.ts';
export { chunkOf } from './scan.ts';
