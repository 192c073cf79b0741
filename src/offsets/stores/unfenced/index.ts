export { type Book, emptyBook, type Owner, type Removed, type Row } from './book.ts';
export type { BookPlace } from './changeLine.ts';
export { UnfencedStore } from './unfencedStore.ts';
