import { type FastifyInstance, fastify } from 'fastify';
import { type Redact, redactValue } from '../config/index.ts';
import { messageOf, TidemarkError } from '../errors.ts';
import type { DaemonMetrics } from './metrics.ts';
import { readinessOf, type Watched } from './readiness.ts';

export interface HttpAddress {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
}

export interface HttpServer {
  /** With the port that was really taken. */
  readonly address: HttpAddress;
  close(): Promise<void>;
}

/**
 * Serves /health/live (the event loop runs), /health/ready (200 or 503, see readinessOf) and /metrics. Rejects with
 * HTTP_LISTEN_FAILED.
 */
export async function startHttpServer(
  wanted: HttpAddress,
  watched: readonly Watched[],
  metrics: DaemonMetrics,
  redact: Redact,
): Promise<HttpServer> {
  // A scraper that keeps its connection open must not hold up the stop.
  const app = fastify({ forceCloseConnections: true });
  app.get('/health/live', () => ({ status: 'alive' }));
  app.get('/health/ready', (_, reply) => {
    const report = readinessOf(watched);
    return reply
      .code(report.ready ? 200 : 503)
      .type('application/json; charset=utf-8')
      .send(JSON.stringify(redactValue(report, redact)));
  });
  app.get('/metrics', async (_, reply) => reply.type(metrics.contentType).send(await metrics.text()));
  await listen(app, wanted);
  const taken = app.addresses().find((address) => typeof address === 'object');
  return {
    address: { host: taken?.address ?? wanted.host, port: taken?.port ?? wanted.port },
    close: () => app.close(),
  };
}

async function listen(app: FastifyInstance, { host, port }: HttpAddress): Promise<void> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    await app.close();
    const { code } = error as NodeJS.ErrnoException;
    throw new TidemarkError('HTTP_LISTEN_FAILED', `http: cannot listen on ${host}:${port}: ${reasonOf(error)}`, {
      path: code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' ? 'http.host' : 'http.port',
      hint: 'Free the address, or set http.port to another port (0 = any free one).',
      ...(code === undefined ? {} : { foreignCode: code }),
      cause: error,
    });
  }
}

function reasonOf(error: unknown): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EADDRINUSE':
      return 'another process listens there';
    case 'EACCES':
      return 'this user may not listen on that port';
    case 'EADDRNOTAVAIL':
      return 'this machine has no such address';
    default:
      return messageOf(error);
  }
}
