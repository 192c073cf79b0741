export { RedisPlace } from './place.ts';
export { RedisStore, type RedisStoreOptions } from './redisStore.ts';
