import { TidemarkError } from '../../../errors.ts';

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** What a connection URL says. */
export interface RedisAddress {
  readonly kind: 'single' | 'sentinel' | 'cluster';
  readonly tls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** One server, or the sentinels, or nodes of the cluster; never empty. */
  readonly hosts: readonly [HostPort, ...HostPort[]];
  /** Of sentinels: what they call the master. */
  readonly masterName: string | undefined;
  readonly db: number;
  /** For people, without secrets. */
  readonly name: string;
}

const form = /^redis(s?)(?:\+(sentinel|cluster))?:\/\/(?:([^/?#]*)@)?([^/?#@]+)(?:\/([^?#]*))?$/;
const hostForm = /^(\[[0-9A-Fa-f:.]+\]|[^:[\]\s]+)(?::(\d{1,5}))?$/;

/**
 * Reads `redis://`, `rediss://` (TLS), `redis+sentinel://host:port,host:port/<master name>[/db]` or
 * `redis+cluster://host:port,host:port`, each also with `user:password@`; the latter two with TLS as `rediss+…`. Rejects everything else
 * with CONFIG_INVALID, which does not quote the URL: it may hold a password.
 */
export function parseAddress(url: string): RedisAddress {
  const [, secure, mode, user, hostList = '', path = ''] = form.exec(url) ?? [];
  if (secure === undefined) throw invalid('is not one of Redis');
  const kind = mode === 'sentinel' || mode === 'cluster' ? mode : 'single';
  const hosts = hostList.split(',').map((text) => hostOf(text, kind === 'sentinel' ? 26_379 : 6379));
  const [first, ...others] = hosts;
  if (first === undefined || (kind === 'single' && others.length > 0)) throw invalid('names several hosts');
  const { masterName, db } = placeIn(kind, path);
  const where = `${hosts.map(({ host, port }) => `${host}:${port}`).join(',')}${path === '' ? '' : `/${path}`}`;
  return {
    kind,
    tls: secure === 's',
    ...credentials(user),
    hosts: [first, ...others],
    masterName,
    db,
    name: `Redis${kind === 'single' ? '' : ` ${kind}`} at ${where}`,
  };
}

function hostOf(text: string, defaultPort: number): HostPort {
  const [, host, port] = hostForm.exec(text) ?? [];
  const number = port === undefined ? defaultPort : Number(port);
  if (host === undefined || number < 1 || number > 65_535) throw invalid('has a host that is none');
  return { host: host.replaceAll(/[[\]]/g, ''), port: number };
}

function credentials(user: string | undefined): Pick<RedisAddress, 'username' | 'password'> {
  const [name = '', ...rest] = (user ?? '').split(':');
  const password = rest.join(':');
  try {
    return {
      username: name === '' ? undefined : decodeURIComponent(name),
      password: password === '' ? undefined : decodeURIComponent(password),
    };
  } catch {
    throw invalid('has a user or password with a % that encodes nothing');
  }
}

function placeIn(kind: RedisAddress['kind'], path: string): Pick<RedisAddress, 'masterName' | 'db'> {
  const parts = path === '' ? [] : path.split('/');
  const masterName = kind === 'sentinel' ? parts.shift() : undefined;
  if (kind === 'sentinel' && (masterName === undefined || masterName === '')) throw invalid('names no master');
  const [db = '0', ...more] = parts;
  if (more.length > 0 || !/^\d{1,6}$/.test(db)) throw invalid('has a database that is no number');
  if (kind === 'cluster' && Number(db) > 0) throw invalid('names a database, of which a cluster has but one');
  return { masterName, db: Number(db) };
}

function invalid(what: string): TidemarkError {
  return new TidemarkError('CONFIG_INVALID', `The URL of the offset store ${what}`, {
    hint: 'Write redis://user:password@host:port/db, rediss:// for TLS, redis+sentinel://host:port,host:port/master, or redis+cluster://host:port,host:port.',
  });
}
