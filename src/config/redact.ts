import { isSecret } from '../pipeline/index.ts';

/** Takes secrets out of a text. */
export type Redact = (text: string) => string;

const mask = '***';
/** Shorter ones are only replaced where they stand alone: a password `a` must not eat every a of a log. */
const embeddedLengthMin = 4;

/**
 * A function that replaces every one of the secrets in a text, also where they were escaped for a URL or for JSON.
 */
export function redactor(secrets: Iterable<string>): Redact {
  const forms = new Set<string>();
  for (const secret of secrets) {
    if (secret === '') continue;
    for (const form of [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]) forms.add(form);
  }
  if (forms.size === 0) return (text) => text;
  const longestFirst = [...forms].sort((a, b) => b.length - a.length);
  const alternatives = longestFirst.map((form) => {
    const literal = form.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    return form.length >= embeddedLengthMin ? literal : `(?<![\\w])${literal}(?![\\w])`;
  });
  const pattern = new RegExp(alternatives.join('|'), 'g');
  return (text) => text.replace(pattern, mask);
}

/**
 * The same value with every text in it redacted. Keys stay: a password that is also the name of a field must not change
 * what programs read.
 */
export function redactValue(value: unknown, redact: Redact): unknown {
  if (typeof value === 'string') return redact(value);
  if (Array.isArray(value)) return value.map((item) => redactValue(item, redact));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, redactValue(item, redact)]));
}

/** A variable with such a name holds a secret wherever its value was put. */
const secretName =
  /PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|PRIVATE_?KEY|API_?KEY|(?:^|_)(?:PASS|PW)(?:_|$)/i;

/**
 * Every secret of the options: values of options declared secret, passwords inside URLs and connection strings wherever
 * they stand, and values of variables whose name says that they are one.
 */
export function secretsOf(
  options: unknown,
  variables: Iterable<readonly [name: string, value: string]> = [],
): readonly string[] {
  const found = new Set<string>();
  for (const [keys, text] of texts(options, [])) {
    if (isSecret(keys) && connectionSecrets(text).length === 0 && !isConnectionString(text)) found.add(text);
    for (const secret of connectionSecrets(text)) found.add(secret);
  }
  for (const [name, value] of variables) {
    if (secretName.test(name)) found.add(value);
    for (const secret of connectionSecrets(value)) found.add(secret);
  }
  found.delete('');
  return [...found];
}

function* texts(value: unknown, keys: readonly PropertyKey[]): Generator<readonly [readonly PropertyKey[], string]> {
  if (typeof value === 'string') yield [keys, value];
  if (Array.isArray(value)) for (const [index, item] of value.entries()) yield* texts(item, [...keys, index]);
  else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) yield* texts(item, [...keys, key]);
  }
}

/** The address of a database may be read by everyone, the password in it not. */
function isConnectionString(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text) || /(^|\s)(host|dbname|user)\s*=/.test(text);
}

/** Passwords of `scheme://user:password@host/?password=…` and of `host=… password=…`, as they stand and decoded. */
function connectionSecrets(text: string): readonly string[] {
  const raw: string[] = [];
  // The last @ before the path ends the user part: people write passwords with @ unescaped.
  const userPart = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)@/i.exec(text)?.[1];
  const colon = userPart?.indexOf(':') ?? -1;
  if (userPart !== undefined && colon >= 0) raw.push(userPart.slice(colon + 1));
  for (const match of text.matchAll(/[?&\s](?:ssl)?password=(?:'([^']*)'|([^&\s]*))/gi))
    raw.push(match[1] ?? match[2] ?? '');
  for (const match of text.matchAll(/^(?:ssl)?password=(?:'([^']*)'|([^&\s]*))/gi))
    raw.push(match[1] ?? match[2] ?? '');
  return raw.flatMap((secret) => [secret, decoded(secret)]).filter((secret) => secret !== '');
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
