/**
 * One service for all files and workers of a test run. The global set-up of vitest runs `hostSharedServices` in the
 * main process, which outlives every worker; a worker asks it by HTTP and the first who asks starts the service.
 * Without such a host (demo, bench) the process itself is the host of its services.
 */
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

const hostVariable = 'TIDEMARK_TEST_SERVICES';

export type Say = (line: string) => void;

/** Starts a service and tells how to reach it, as plain JSON. */
export type Starter<Facts> = (options: never) => Promise<Facts>;

const inProcess = new Map<string, Promise<unknown>>();

/** The shared service of that name: from the host of this run, else started here, once. A failure is final. */
export async function sharedService<Facts, Options>(
  name: string,
  options: Options,
  start: (options: Options) => Promise<Facts>,
): Promise<Facts> {
  const host = process.env[hostVariable];
  if (host !== undefined) return (await askHost(host, name, options)) as Facts;
  return startOnce(name, options, start);
}

/** Forgets the services of this process, after they were stopped. */
export function forgetSharedServices(): void {
  inProcess.clear();
}

function startOnce<Facts, Options>(
  name: string,
  options: Options,
  start: (options: Options) => Promise<Facts>,
): Promise<Facts> {
  const started = inProcess.get(name) ?? start(options);
  inProcess.set(name, started);
  return started as Promise<Facts>;
}

/** Serves this process's services to its children, who find it by an environment variable. */
export async function hostSharedServices(
  starters: Readonly<Record<string, Starter<unknown>>>,
): Promise<{ close(): Promise<void> }> {
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const name = (incoming.url ?? '').slice(1);
      const answer = (status: number, body: unknown) => {
        outgoing.writeHead(status, { connection: 'close' }).end(JSON.stringify(body));
      };
      const start = starters[name];
      if (start === undefined) {
        answer(404, { message: `there is no shared service ${name}` });
        return;
      }
      const options = JSON.parse(Buffer.concat(chunks).toString()) as never;
      startOnce(name, options, start).then(
        (facts) => answer(200, facts),
        (error: Error) => answer(500, { message: error.message }),
      );
    });
  });
  // Starting may have to bring jars or an image first.
  server.requestTimeout = 0;
  server.headersTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  process.env[hostVariable] = String((server.address() as AddressInfo).port);
  return {
    close: async () => {
      delete process.env[hostVariable];
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function askHost(port: string, name: string, options: unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const ask = request(
      { host: '127.0.0.1', port: Number(port), path: `/${name}`, method: 'POST', agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const body = JSON.parse(Buffer.concat(chunks).toString()) as { message?: string };
          if (response.statusCode === 200) resolve(body);
          else reject(new Error(body.message));
        });
      },
    );
    ask.on('error', reject);
    ask.end(JSON.stringify(options));
  });
}
