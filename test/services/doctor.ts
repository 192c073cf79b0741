/** Names everything that is missing before anything starts, each with the command that brings it. */
import { dockerAnswers } from './docker.ts';
import { missingForKafka } from './java.ts';
import { missingForPostgres } from './postgres/index.ts';
import { chooseProviders, type Missing, missingText, type ServiceName, serviceVariables } from './providers.ts';
import { missingForRedis } from './redis.ts';

const lookUp: Readonly<Record<ServiceName, () => Missing[] | Promise<Missing[]>>> = {
  kafka: missingForKafka,
  postgres: missingForPostgres,
  redis: missingForRedis,
};

/** `ok` when every service of the list can come in some way; else `lines` say what is missing and how to get it. */
export async function checkPrerequisites(
  services: readonly ServiceName[] = ['kafka', 'postgres'],
): Promise<{ ok: boolean; lines: string[] }> {
  const docker = await dockerAnswers();
  const lines: string[] = [];
  for (const service of services) {
    const variable = process.env[serviceVariables[service]];
    const missing = await lookUp[service]();
    if (chooseProviders({ owned: false, variable, docker, missing }).length > 0) continue;
    lines.push(...missingText(service, false, missing).split('\n'));
  }
  return { ok: lines.length === 0, lines };
}
