/** A log line of JSON as one for people: time, level, sentence, fields. What is not JSON stays as it is. */
export function logText(line: string): string {
  let entry: Record<string, unknown>;
  try {
    entry = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return line;
  }
  const { time, level, msg, ...fields } = entry;
  const clock = String(time).slice(11, 23);
  const details = Object.entries(fields).map(([name, value]) => `${name}=${shown(value)}`);
  return `${[clock, String(level).toUpperCase().padEnd(5), msg, ...details].join(' ')}\n`;
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /^[\w.:/@+-]+$/.test(text) ? text : JSON.stringify(text);
}
