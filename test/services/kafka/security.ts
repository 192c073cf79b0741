import { users } from './properties.ts';

/** What a client needs to reach the secured listeners of an owned broker. */
export interface KafkaSecurity {
  /** Certificate that signs the broker's, PEM. */
  readonly ca: string;
  /** `host:port` of each listener. The certificate holds for `localhost` and 127.0.0.1. */
  readonly saslPlaintext: string;
  readonly ssl: string;
  readonly saslSsl: string;
  /** May do everything. Known to PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512. */
  readonly powerful: { readonly username: string; readonly password: string };
  /** Has a right password and no rights on anything. */
  readonly powerless: { readonly username: string; readonly password: string };
  /** An unsecured OAUTHBEARER token (RFC 7515, `alg: none`) for a user, by default the powerful one. */
  token(subject?: string, lifetimeSeconds?: number): string;
}

export function kafkaSecurity(
  ca: string,
  listeners: Pick<KafkaSecurity, 'saslPlaintext' | 'ssl' | 'saslSsl'>,
): KafkaSecurity {
  return { ca, ...listeners, powerful: users.powerful, powerless: users.powerless, token: unsecuredToken };
}

function unsecuredToken(subject: string = users.powerful.username, lifetimeSeconds = 3_600): string {
  const now = Math.floor(Date.now() / 1_000);
  const part = (json: unknown) => Buffer.from(JSON.stringify(json)).toString('base64url');
  return `${part({ alg: 'none' })}.${part({ sub: subject, iat: now, exp: now + lifetimeSeconds })}.`;
}
