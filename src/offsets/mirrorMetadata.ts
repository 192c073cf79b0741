/** Goes with the offsets that a pipeline tells its consumer group: a copy for other tools, which nothing starts from. */
export function mirrorMetadata(pipeline: string): string {
  return `tidemark:${pipeline}`;
}
