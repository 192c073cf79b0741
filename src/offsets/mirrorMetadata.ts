/** Goes with the offsets that a pipeline tells its consumer group: a copy for other tools, which nothing starts from. */
export function mirrorMetadata(pipeline: string): string {
  return `tidemark:${pipeline}`;
}

/** Whether an offset of a group is such a copy, of whatever pipeline. */
export function isMirrorMetadata(metadata: string): boolean {
  return /^tidemark:[^ ]+$/.test(metadata);
}
