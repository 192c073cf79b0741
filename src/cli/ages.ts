const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
] as const;

/** An age for people, in its largest whole unit: `45s`, `12m`, `3h`, `8d`; `-` where it is unknown. */
export function ageText(ms: number | undefined): string {
  if (ms === undefined) return '-';
  const [unit, size] = units.find(([, least]) => ms >= least) ?? ['s', 1000];
  return `${Math.floor(ms / size)}${unit}`;
}

/** Seconds of lag for people, rounded up: what is not done yet is never 0. */
export function secondsText(seconds: number | undefined): string {
  return seconds === undefined ? '-' : String(Math.ceil(seconds));
}
