/**
 * Which way a service comes, decided from facts alone: an environment variable, a Docker engine, or what is installed
 * here. `owned` means a private one, which a variable can never name.
 */
export type ServiceName = 'kafka' | 'postgres' | 'redis';

export type Provider =
  | { readonly kind: 'variable'; readonly value: string }
  | { readonly kind: 'docker' }
  | { readonly kind: 'local' };

/** Something that is not there, and the command that brings it. */
export interface Missing {
  readonly what: string;
  readonly command: string;
}

export interface ProviderFacts {
  readonly owned: boolean;
  /** Value of the service's variable. */
  readonly variable: string | undefined;
  /** A Docker engine answered within a second. */
  readonly docker: boolean;
  /** What a local start lacks; empty = it can start. */
  readonly missing: readonly Missing[];
}

export const serviceVariables: Readonly<Record<ServiceName, string>> = {
  kafka: 'KAFKA_BROKERS',
  postgres: 'DATABASE_URL',
  redis: 'REDIS_URL',
};

export const serviceTitles: Readonly<Record<ServiceName, string>> = {
  kafka: 'Kafka',
  postgres: 'PostgreSQL',
  redis: 'Redis',
};

/**
 * The ways to try, best first. A variable is the only way when it is set: falling back from it would test something
 * else than what was asked for. A container that does not start (no network for its image) falls back to local.
 */
export function chooseProviders(facts: ProviderFacts): readonly Provider[] {
  if (!facts.owned && facts.variable !== undefined && facts.variable !== '') {
    return [{ kind: 'variable', value: facts.variable }];
  }
  const providers: Provider[] = [];
  if (facts.docker) providers.push({ kind: 'docker' });
  if (facts.missing.length === 0) providers.push({ kind: 'local' });
  return providers;
}

/** What to tell someone for whom no way is left. */
export function missingText(service: ServiceName, owned: boolean, missing: readonly Missing[]): string {
  const variable = owned ? '' : `, or set ${serviceVariables[service]}`;
  const lines = missing.map(({ what, command }) => `  missing: ${what}\n  to get it: ${command}`);
  return `${serviceTitles[service]} cannot be started here.\n${lines.join('\n')}\n  or: start Docker${variable}`;
}

/** The command that installs packages on this kind of system. */
export function installCommand(debian: string, homebrew: string, platform: string = process.platform): string {
  return platform === 'darwin' ? `brew install ${homebrew}` : `apt-get install -y ${debian}`;
}
