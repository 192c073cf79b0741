import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { isTidemarkError, type TidemarkError } from '../../src/errors.ts';
import { createDriver, type KafkaClientOptions } from '../../src/kafka/index.ts';
import { requiredApis, WireWriter } from '../../src/kafka/protocol/index.ts';
import { kafkaService } from '../services/index.ts';
import { answer, answering, type FakeListener, fakeListener } from '../support/fakeListener.ts';

const listeners: FakeListener[] = [];

async function listener(...args: Parameters<typeof fakeListener>): Promise<string> {
  const made = await fakeListener(...args);
  listeners.push(made);
  return made.address;
}

afterEach(async () => {
  for (const one of listeners.splice(0)) await one.close();
});

async function refusal(options: KafkaClientOptions): Promise<TidemarkError> {
  const driver = await createDriver(options);
  try {
    await driver.connect();
  } catch (error) {
    if (isTidemarkError(error)) return error;
    throw error;
  } finally {
    await driver.close();
  }
  throw new Error('it connected');
}

/** The version range of each API that an old broker announces: ApiVersions v3 in the flexible encoding. */
function versions(ranges: readonly (readonly [apiKey: number, min: number, max: number])[]): Buffer {
  return new WireWriter()
    .int16(0)
    .array(ranges, ([apiKey, min, max], writer) => writer.int16(apiKey).int16(min).int16(max).noTags())
    .int32(0)
    .noTags()
    .bytes();
}

describe('a cluster that cannot be reached', () => {
  test('is named, with the last cause and a way out, when nothing listens', async () => {
    const address = await listener(() => {});
    for (const one of listeners.splice(0)) await one.close();
    const error = await refusal({ brokers: [address], connectTimeoutMs: 500 });
    expect(error).toMatchObject({ code: 'KAFKA_UNREACHABLE', retriable: true, foreignCode: 'ECONNREFUSED' });
    expect(error.message).toContain(`No broker of the list answers (${address})`);
    expect(error.hint).toContain('the broker runs');
  });

  test('is named when its name does not resolve', async () => {
    const error = await refusal({ brokers: ['no-such-host.invalid:9092'], connectTimeoutMs: 500 });
    expect(error.code).toBe('KAFKA_UNREACHABLE');
    expect(error.message).toContain('no-such-host.invalid');
    expect(error.hint).toContain('host name');
  });

  test('is given up in time when it accepts and stays silent', async () => {
    const address = await listener(() => {});
    const begun = performance.now();
    const error = await refusal({ brokers: [address, address], connectTimeoutMs: 300 });
    expect(performance.now() - begun).toBeLessThan(10_000);
    expect(error.code).toBe('KAFKA_UNREACHABLE');
    expect(error.message).toContain('was still greeting after 300 ms');
  });

  test('is given up in time when it falls silent after the greeting', async () => {
    const ours = requiredApis.map(({ apiKey, apiVersion }) => [apiKey, 0, apiVersion] as const);
    const address = await listener((socket) =>
      socket.once('data', (request) => answer(socket, request, versions(ours))),
    );
    const begun = performance.now();
    const error = await refusal({ brokers: [address, address], connectTimeoutMs: 300 });
    expect(performance.now() - begun).toBeLessThan(10_000);
    expect(error).toMatchObject({ code: 'KAFKA_UNREACHABLE', retriable: true });
    expect(error.message).toContain('did not answer Metadata within 300 ms');
  });

  test('is told from a web server', async () => {
    const address = await listener((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    const error = await refusal({ brokers: [address] });
    expect(error).toMatchObject({ code: 'KAFKA_UNREACHABLE', retriable: false });
    expect(error.message).toContain('is not a Kafka broker: it answers in HTTP');
  });

  test('is told from something that hangs up', async () => {
    const address = await listener((socket) => socket.on('data', () => socket.end()));
    const error = await refusal({ brokers: [address], connectTimeoutMs: 300 });
    expect(error).toMatchObject({ code: 'KAFKA_UNREACHABLE', retriable: true });
    expect(error.message).toContain('ended the connection at the first request');
    expect(error.hint).toContain('kafka.ssl');
  });

  test('is told from something that answers nonsense', async () => {
    const address = await listener(answering(Buffer.from('0000ffffffffff', 'hex')));
    const error = await refusal({ brokers: [address], connectTimeoutMs: 300 });
    expect(error.code).toBe('KAFKA_UNREACHABLE');
    expect(error.message).toContain(`The ApiVersions answer of ${address} cannot be read`);
  });
});

describe('a broker that is too old', () => {
  test('is refused with what it seems to be and what it lacks', async () => {
    const address = await listener(
      answering(
        versions([
          [1, 0, 11],
          [3, 0, 8],
          [2, 0, 5],
        ]),
      ),
    );
    const error = await refusal({ brokers: [address] });
    expect(error).toMatchObject({ code: 'KAFKA_UNSUPPORTED_BROKER', retriable: false });
    expect(error.message).toContain('Kafka 2.3 to 2.6');
    expect(error.message).toContain('Fetch 0 to 11 (version 16 is needed)');
    expect(error.hint).toContain('3.7');
  });

  test('is refused when it does not even know the question', async () => {
    const unsupportedVersion = Buffer.from('0023000000010012000000000002', 'hex');
    const error = await refusal({ brokers: [await listener(answering(unsupportedVersion))] });
    expect(error).toMatchObject({ code: 'KAFKA_UNSUPPORTED_BROKER', foreignCode: 'UNSUPPORTED_VERSION' });
  });
});

describe('the list of brokers', () => {
  test('needs only one that answers', async () => {
    const silent = await listener(() => {});
    const { brokers } = await kafkaService();
    const driver = await createDriver({ brokers: [silent, '127.0.0.1:1', ...brokers] });
    const begun = performance.now();
    await driver.connect();
    expect(performance.now() - begun).toBeLessThan(10_000);
    await driver.listTopics();
    await driver.close();
  });

  test('may name a broker by a name with several addresses', async () => {
    const { brokers } = await kafkaService();
    const port = brokers[0]?.split(':')[1];
    const driver = await createDriver({ brokers: [`localhost:${port}`] });
    await driver.connect();
    await driver.close();
  });
});

describe('a process', () => {
  const script = fileURLToPath(new URL('./fixtures/kafkaClient.ts', import.meta.url));

  /** Runs the client to its end and gives its output; a handle left open would keep it running into the test's limit. */
  async function run(scenario: string, broker: string): Promise<string> {
    const child = spawn(process.execPath, ['--import', 'jiti/register', script, scenario, broker]);
    let output = '';
    child.stdout.on('data', (data) => {
      output += data;
    });
    child.stderr.on('data', (data) => {
      output += data;
    });
    const code = await new Promise((resolve) => child.once('exit', resolve));
    return `${output.trim()} exit ${code}`;
  }

  test.each(['connected', 'connecting', 'polling', 'retrying'])(
    'ends by itself after a close while %s',
    async (scenario) => {
      const { brokers } = await kafkaService();
      expect(await run(scenario, brokers[0] ?? '')).toBe(`${scenario}: closed exit 0`);
    },
  );

  test('ends by itself after a close while it shakes hands', async () => {
    const silent = await listener(() => {});
    const begun = performance.now();
    expect(await run('handshaking', silent)).toBe('handshaking: closed exit 0');
    expect(performance.now() - begun).toBeLessThan(40_000);
  });

  test.each(['refused', 'silent'])('ends by itself after a connect that was %s', async (scenario) => {
    const silent = await listener(() => {});
    expect(await run(scenario, scenario === 'silent' ? silent : '127.0.0.1:1')).toBe(
      `${scenario}: KAFKA_UNREACHABLE exit 0`,
    );
  });

  test('hears of an exception in a listener, which is nothing a stream can go on with', async () => {
    const { brokers } = await kafkaService();
    const output = await run('throwing', brokers[0] ?? '');
    expect(output).toContain('thrown by a listener');
    expect(output).toContain('exit 1');
  });

  test('hardly uses the processor while it waits for records', async () => {
    const { brokers } = await kafkaService();
    const output = await run('idle', brokers[0] ?? '');
    const cpuMs = Number(/idle: (\d+) ms/.exec(output)?.[1]);
    // Two seconds of long polls: some ten requests. kafkajs' own timers would take several hundred milliseconds.
    expect(cpuMs, output).toBeLessThan(200);
  });
});
