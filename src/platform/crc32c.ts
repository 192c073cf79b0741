import { crc32c as castagnoli } from '@node-rs/crc32';

/**
 * CRC-32C (Castagnoli) of the bytes as an unsigned 32-bit number: the checksum of Kafka's record batches and of our own log.
 * With `before`, the checksum of what goes before, that of both together.
 */
export function crc32c(bytes: Uint8Array, before = 0): number {
  return castagnoli(bytes, before);
}
