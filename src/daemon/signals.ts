export const stopSignals = ['SIGINT', 'SIGTERM'] as const;
export type StopSignal = (typeof stopSignals)[number];

/**
 * Calls `onFirst` at the first SIGINT or SIGTERM and `onSecond` at every later one. Only for a process of our own: an
 * application that embeds the library keeps its signals. Returns what takes the handlers away again.
 */
export function listenForSignals(
  onFirst: (signal: StopSignal) => void,
  onSecond: (signal: StopSignal) => void,
): () => void {
  let isStopping = false;
  const handle = (signal: NodeJS.Signals): void => {
    const stopSignal = signal as StopSignal;
    if (isStopping) onSecond(stopSignal);
    else onFirst(stopSignal);
    isStopping = true;
  };
  for (const signal of stopSignals) process.on(signal, handle);
  return () => {
    for (const signal of stopSignals) process.off(signal, handle);
  };
}

/**
 * Calls back for what is thrown, or rejected, where nobody can catch it. Returns what takes the handler away again.
 */
export function listenForCrashes(onCrash: (error: unknown) => void): () => void {
  // Rejections nobody handles come this way too.
  process.on('uncaughtException', onCrash);
  return () => {
    process.off('uncaughtException', onCrash);
  };
}
