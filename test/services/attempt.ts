/** Goes through the ways a service can come, takes the first that works, and says in one line which it took. */
import { dockerAnswers } from './docker.ts';
import { chooseProviders, type Missing, missingText, type ServiceName, serviceVariables } from './providers.ts';
import type { Say } from './shared.ts';

export interface Ways<T> {
  readonly service: ServiceName;
  readonly owned: boolean;
  readonly say: Say;
  readonly variable?: (value: string) => Promise<Taken<T>>;
  readonly docker: () => Promise<Taken<T>>;
  readonly local: () => Promise<Taken<T>>;
  readonly missing: () => Promise<readonly Missing[]>;
}

export interface Taken<T> {
  readonly value: T;
  /** Said to people: `local broker 4.2.1 on 127.0.0.1:21000`. */
  readonly description: string;
}

export async function takeFirstThatWorks<T>(ways: Ways<T>): Promise<Taken<T>> {
  const variable = ways.owned ? undefined : process.env[serviceVariables[ways.service]];
  const named = variable !== undefined && variable !== '';
  const missing = named ? [] : await ways.missing();
  const docker = named ? false : await dockerAnswers();
  const failures: string[] = [];
  const providers = chooseProviders({ owned: ways.owned, variable, docker, missing });
  for (const provider of providers) {
    const began = performance.now();
    try {
      const taken = await startBy(ways, provider.kind, variable ?? '');
      const seconds = ((performance.now() - began) / 1_000).toFixed(1);
      ways.say(`${ways.service}: ${taken.description}${ways.owned ? ', owned' : ''} (${seconds} s)`);
      return taken;
    } catch (error) {
      const failure = `${ways.service}: ${provider.kind} provider: ${(error as Error).message}`;
      failures.push(failure);
      // The next way can succeed and would hide why this one did not.
      if (failures.length < providers.length) ways.say(failure);
    }
  }
  const reasons = missing.length === 0 ? [] : [missingText(ways.service, ways.owned, missing)];
  throw new Error([...failures, ...reasons].join('\n'));
}

function startBy<T>(ways: Ways<T>, kind: 'variable' | 'docker' | 'local', value: string): Promise<Taken<T>> {
  if (kind === 'docker') return ways.docker();
  if (kind === 'local') return ways.local();
  if (ways.variable === undefined) throw new Error('a variable names no owned service');
  return ways.variable(value);
}
