const noRoom: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT']);

/** The disk is full, or the user's share of it. */
export function isNoRoom(error: unknown): boolean {
  return noRoom.has(errnoOf(error));
}

/** `ENOENT` and the like, of a failed call of the file system. */
export function errnoOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}
