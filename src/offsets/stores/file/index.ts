export { FileStore, type FileStoreOptions } from './fileStore.ts';
export { FilePlace } from './place.ts';
