/** One to three brokers on a machine: format, start, kill, start again. Brokers are numbered from 1. */
import { randomBytes } from 'node:crypto';
import { endProcess, type Machine, type MachineProcess, whileAlive } from '../machine.ts';
import { waitUntil } from '../waiting.ts';
import { type BrokerPorts, brokerProperties, propertiesText, scramArguments } from './properties.ts';
import { viewOf } from './wire.ts';

export interface ClusterOptions {
  readonly machine: Machine;
  /** Program and class path on that machine. */
  readonly java: string;
  readonly keytool: string;
  readonly classPath: string;
  readonly jvmOptions: readonly string[];
  readonly ports: readonly BrokerPorts[];
  readonly config: Readonly<Record<string, string>>;
}

export interface Cluster {
  readonly brokers: readonly string[];
  /** Certificate of the TLS listeners, PEM; undefined when nothing is secured. */
  readonly ca: string | undefined;
  /** Kills a broker with SIGKILL and waits until it is gone. */
  killBroker(id: number): Promise<void>;
  /** Starts a broker that is down and waits until it serves. */
  startBroker(id: number): Promise<void>;
  /** Stops all brokers in an orderly way, runs `whileDown`, and starts them again on the same ports and data. */
  restart(whileDown?: () => Promise<void>): Promise<void>;
  /** Runs a program of Kafka's jars to its end and returns what it wrote. */
  runTool(mainClass: string, args: readonly string[]): Promise<string>;
  stop(): Promise<void>;
}

interface Node {
  readonly id: number;
  readonly address: string;
  readonly port: number;
  readonly propertiesFile: string;
  process: MachineProcess | undefined;
}

/** Starts fastest: no second compiler, no parallel collector, no check of the jars' own byte code (a fifth of the CPU). */
export const quickJvm: readonly string[] = [
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-XX:+UnlockDiagnosticVMOptions',
  '-XX:-BytecodeVerificationRemote',
];

const keystorePassword = 'tidemark-keystore';

export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { machine } = options;
  const keystore = options.ports.some((ports) => ports.secured !== undefined) ? await makeKeystore(options) : undefined;
  const clusterId = randomBytes(16).toString('base64url');
  const nodes = await Promise.all(options.ports.map((_, index) => formatNode(options, index + 1, clusterId, keystore)));
  const nodeOf = (id: number): Node => {
    const node = nodes.find((one) => one.id === id);
    if (node === undefined) throw new Error(`there is no broker ${id}; there are 1 to ${nodes.length}`);
    return node;
  };
  const brokers = nodes.map((node) => `${node.address}:${node.port}`);
  const startAll = async () => {
    await Promise.all(nodes.map((node) => startNode(options, node)));
    await serves(nodes, nodes);
  };
  await startAll();
  return {
    brokers,
    ca: keystore?.ca,
    killBroker: (id) => stopNode(nodeOf(id), 'KILL'),
    startBroker: async (id) => {
      const node = nodeOf(id);
      if (node.process !== undefined) throw new Error(`broker ${id} is running`);
      await startNode(options, node);
      await serves([node], nodes);
    },
    restart: async (whileDown) => {
      await Promise.all(nodes.map((node) => stopNode(node, 'TERM')));
      await whileDown?.();
      await startAll();
    },
    runTool: (mainClass, args) => runTool(options, mainClass, args),
    stop: () => machine.remove(),
  };
}

async function makeKeystore(options: ClusterOptions): Promise<{ path: string; password: string; ca: string }> {
  const { machine, keytool } = options;
  const path = `${machine.dir}/broker.p12`;
  const store = [
    '-keystore',
    path,
    '-storetype',
    'PKCS12',
    '-storepass',
    keystorePassword,
    '-alias',
    'broker',
  ] as const;
  const names = ['-dname', 'CN=localhost', '-ext', 'SAN=dns:localhost,ip:127.0.0.1'] as const;
  await machine.run([keytool, '-genkeypair', ...store, ...names, '-keyalg', 'EC', '-validity', '3']);
  const ca = await machine.run([keytool, '-exportcert', '-rfc', ...store]);
  const pem = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(ca)?.[0];
  if (pem === undefined) throw new Error(`keytool exported no certificate:\n${ca}`);
  return { path, password: keystorePassword, ca: `${pem}\n` };
}

async function formatNode(
  options: ClusterOptions,
  id: number,
  clusterId: string,
  keystore: { path: string; password: string } | undefined,
): Promise<Node> {
  const { machine } = options;
  const ports = options.ports[id - 1];
  if (ports === undefined) throw new Error(`no ports for broker ${id}`);
  const properties = brokerProperties({
    nodeId: id,
    nodes: options.ports.map((each, index) => ({ nodeId: index + 1, ports: each })),
    address: machine.address,
    bindAddress: machine.bindAddress,
    dataDir: `${machine.dir}/broker-${id}`,
    config: options.config,
    ...(keystore === undefined ? {} : { keystore }),
  });
  const propertiesFile = await machine.writeFile(`broker-${id}.properties`, propertiesText(properties));
  // In one argument: an id may begin with a dash.
  const format = ['format', `--cluster-id=${clusterId}`, '-c', propertiesFile];
  const scram = keystore === undefined ? [] : scramArguments();
  await runTool(options, 'kafka.tools.StorageTool', [...format, ...scram]);
  return { id, address: machine.address, port: ports.plaintext, propertiesFile, process: undefined };
}

function runTool(options: ClusterOptions, mainClass: string, args: readonly string[]): Promise<string> {
  const quick = [...quickJvm, '-Xmx128m', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error'];
  return options.machine.run([options.java, ...quick, '-cp', options.classPath, mainClass, ...args]);
}

async function startNode(options: ClusterOptions, node: Node): Promise<void> {
  const log = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn';
  node.process = await options.machine.start({
    name: `broker-${node.id}`,
    command: [options.java, ...options.jvmOptions, log, '-cp', options.classPath, 'kafka.Kafka', node.propertiesFile],
    stopSignal: 'KILL',
  });
}

async function stopNode(node: Node, signal: 'TERM' | 'KILL'): Promise<void> {
  if (node.process === undefined) return;
  await endProcess(node.process, signal);
  node.process = undefined;
}

/** Waits until the started nodes answer and see every running node. */
async function serves(started: readonly Node[], all: readonly Node[]): Promise<void> {
  const giveUp = async () => {
    for (const { id, process } of started) {
      if (process !== undefined) await whileAlive(`broker ${id}`, process)();
    }
  };
  const running = all.filter((node) => node.process !== undefined);
  for (const node of started) {
    const seesAll = async () => {
      // A broker lists those that are up and unfenced, itself included.
      const { brokers } = await viewOf(`${node.address}:${node.port}`);
      return running.every(({ id }) => brokers.some((broker) => broker.id === id));
    };
    await waitUntil(`broker ${node.id}`, seesAll, { giveUp });
  }
}
