/** `running`, or `running 7, parked 1` where they differ. */
export function statesText(states: Readonly<Record<string, number>>): string {
  const entries = Object.entries(states);
  if (entries.length <= 1) return entries[0]?.[0] ?? '-';
  return entries.map(([state, count]) => `${state} ${count}`).join(', ');
}
