import { createServer, type Server } from 'node:net';
import { describe, expect, test } from 'vitest';
import { accepts, freePorts } from '../../services/ports.ts';

function listen(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

describe('free ports', () => {
  test('are different, can be bound, and lie below those of outgoing connections', async () => {
    const ports = await freePorts(20);
    expect(new Set(ports).size).toBe(20);
    for (const port of ports) {
      expect(port).toBeLessThan(32_768);
      const server = await listen(port);
      server.close();
    }
  });

  test('tell whether somebody accepts', async () => {
    const [port = 0] = await freePorts(1);
    expect(await accepts('127.0.0.1', port)).toBe(false);
    const server = await listen(port);
    expect(await accepts('127.0.0.1', port)).toBe(true);
    server.close();
  });
});
