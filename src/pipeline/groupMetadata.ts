/** Goes with the offsets that a pipeline tells its consumer group: they say what is durable here, not what is committed. */
export function groupMetadata(pipeline: string): string {
  return `tidemark:${pipeline}`;
}
