/** Kafka, handed out: a shared broker, or an owned one, three, or secured. */
import { type Taken, takeFirstThatWorks } from '../attempt.ts';
import { dockerMachine } from '../docker.ts';
import { javaProgram, kafkaClassPath, kafkaVersion, missingForKafka } from '../java.ts';
import { localMachine, type Machine, orRemove } from '../machine.ts';
import { freePorts } from '../ports.ts';
import { type Say, sharedService } from '../shared.ts';
import { type TcpProxy, tcpProxy } from '../tcpProxy.ts';
import { type KafkaAdmin, kafkaAdmin, viewOfAny } from './admin.ts';
import { type Cluster, quickJvm, startCluster } from './cluster.ts';
import type { BrokerPorts } from './properties.ts';
import { type KafkaSecurity, kafkaSecurity } from './security.ts';

export interface KafkaOptions {
  /** A private cluster that nobody else sees. Default false: the one of the test run. */
  readonly owned?: boolean;
  /** Default 1. More needs `owned`. */
  readonly brokers?: 1 | 3;
  /** `secured` adds SASL_PLAINTEXT, SSL and SASL_SSL listeners and an authorizer. Default `plain`. Needs `owned`. */
  readonly listeners?: 'plain' | 'secured';
  /** Adds a route through TCP proxies, so that a test can cut connections. The same as `routes: 1`. Needs `owned`. */
  readonly proxied?: boolean;
  /** Adds so many ways to the cluster, each through proxies of its own: one client can be cut off alone. Needs `owned`. */
  readonly routes?: number;
  /** Broker settings over the usual ones of the tests. Needs `owned`. */
  readonly config?: Readonly<Record<string, string>>;
  /** Of the JVM, instead of those that start fastest. Counts when this call is the one that starts the broker. */
  readonly jvmOptions?: readonly string[];
  /** Hears in one line which provider was taken. Default: standard error. */
  readonly say?: Say;
}

/** A listener on every broker that advertises a TCP proxy: who comes by these addresses stays on them. */
export interface KafkaRoute {
  /** Bootstrap addresses that lead through `proxies`. */
  readonly brokers: readonly string[];
  /** In the order of the brokers. */
  readonly proxies: readonly TcpProxy[];
}

export interface KafkaService extends KafkaAdmin {
  /** Bootstrap addresses of the PLAINTEXT listener. */
  readonly brokers: readonly string[];
  readonly provider: string;
  /** Of Kafka's jars on this machine, for its own tools; undefined when the broker did not come from them. */
  readonly classPath: string | undefined;
  /** Of a broker with `listeners: 'secured'`. */
  readonly security: KafkaSecurity | undefined;
  /** With `routes` or `proxied`. */
  readonly routes: readonly KafkaRoute[];
  /** Those of the first route. */
  readonly proxiedBrokers: readonly string[];
  readonly proxies: readonly TcpProxy[];
  /** Owned: ends it and removes its data. Shared: nothing, it ends with the run. */
  stop(): Promise<void>;
  /** Owned only: orderly stop of all brokers, `whileDown`, start on the same ports with the same data. */
  restart(whileDown?: () => Promise<void>): Promise<void>;
  /** Owned only: SIGKILL. Brokers are numbered from 1; `brokers[0]` is broker 1. */
  killBroker(id: number): Promise<void>;
  /** Owned only: starts a killed broker again and waits until it serves. */
  startBroker(id: number): Promise<void>;
  /** Owned only: runs one of Kafka's own tools where the brokers run, and returns what it wrote. */
  runTool(mainClass: string, args: readonly string[]): Promise<string>;
}

interface KafkaFacts {
  readonly brokers: readonly string[];
  readonly provider: string;
  readonly classPath: string | undefined;
}

interface StartedKafka extends KafkaFacts {
  readonly cluster: Cluster | undefined;
  readonly security: KafkaSecurity | undefined;
  readonly routes: readonly KafkaRoute[];
}

interface Layout {
  readonly ports: readonly BrokerPorts[];
  readonly routes: readonly KafkaRoute[];
}

const image = `apache/kafka:${kafkaVersion()}`;
const smallHeap = ['-Xms256m', '-Xmx512m'];

export async function kafkaService(options: KafkaOptions = {}): Promise<KafkaService> {
  if (options.owned === true) return serviceOf(await startKafka(options));
  for (const name of ['brokers', 'listeners', 'proxied', 'routes', 'config'] as const) {
    if (options[name] !== undefined) throw new Error(`kafkaService: ${name} needs owned: true`);
  }
  const facts = await sharedService('kafka', options, startSharedKafka);
  return serviceOf({ ...facts, ...notOurs });
}

/** Starts the broker that a run shares. */
export async function startSharedKafka(options: KafkaOptions): Promise<KafkaFacts> {
  const { brokers, provider, classPath } = await startKafka({ ...options, owned: false });
  return { brokers, provider, classPath };
}

async function startKafka(options: KafkaOptions): Promise<StartedKafka> {
  const taken = await takeFirstThatWorks<StartedKafka>({
    service: 'kafka',
    owned: options.owned ?? false,
    say: options.say ?? console.error,
    variable: useNamed,
    docker: () => startInDocker(options),
    local: () => startLocally(options),
    missing: missingForKafka,
  });
  return taken.value;
}

const notOurs = { cluster: undefined, security: undefined, routes: [] } as const;

async function useNamed(value: string): Promise<Taken<StartedKafka>> {
  const brokers = value.split(',').map((broker) => broker.trim());
  await viewOfAny(brokers);
  const facts = { brokers, provider: 'KAFKA_BROKERS', classPath: undefined, ...notOurs };
  return { value: facts, description: `brokers of KAFKA_BROKERS, ${brokers.join(',')}` };
}

async function startLocally(options: KafkaOptions): Promise<Taken<StartedKafka>> {
  const java = javaProgram() ?? 'java';
  const classPath = await kafkaClassPath(options.say);
  const machine = localMachine('kafka');
  const layout = await planLayout(options, machine.address);
  const programs = { java, keytool: java.replace(/java$/, 'keytool'), classPath };
  return orRemove(machine, () => startOn(machine, programs, layout, options));
}

async function startInDocker(options: KafkaOptions): Promise<Taken<StartedKafka>> {
  const layout = await planLayout(options, '127.0.0.1');
  const exposed = layout.ports.flatMap((ports) => [
    ports.plaintext,
    ...Object.values(ports.secured ?? {}),
    ...ports.routes.map(({ listen }) => listen),
  ]);
  const machine = await dockerMachine({ image, ports: exposed });
  const programs = { java: 'java', keytool: 'keytool', classPath: '/opt/kafka/libs/*' };
  return orRemove(machine, () => startOn(machine, programs, layout, options));
}

/** Ports of every broker, and the proxies, whose ports the brokers advertise and which therefore stand first. */
async function planLayout(options: KafkaOptions, address: string): Promise<Layout> {
  const fixedPorts = 5;
  const routesOfEach = options.routes ?? (options.proxied === true ? 1 : 0);
  const portsOfEach = fixedPorts + routesOfEach;
  const numbers = await freePorts((options.brokers ?? 1) * portsOfEach);
  const ports: BrokerPorts[] = [];
  const proxiesOfRoute: TcpProxy[][] = Array.from({ length: routesOfEach }, () => []);
  for (let first = 0; first < numbers.length; first += portsOfEach) {
    const [controller, plaintext, saslPlaintext, ssl, saslSsl] = numbers.slice(first) as FixedPorts;
    const listening = numbers.slice(first + fixedPorts, first + portsOfEach);
    const proxies = await Promise.all(listening.map((port) => tcpProxy({ host: address, port })));
    for (const [index, proxy] of proxies.entries()) proxiesOfRoute[index]?.push(proxy);
    const routes = listening.map((listen, index) => ({ listen, advertised: proxies[index]?.port ?? 0 }));
    const secured = options.listeners === 'secured' ? { secured: { saslPlaintext, ssl, saslSsl } } : {};
    ports.push({ controller, plaintext, routes, ...secured });
  }
  const routes = proxiesOfRoute.map((proxies) => ({
    brokers: proxies.map(({ host, port }) => `${host}:${port}`),
    proxies,
  }));
  return { ports, routes };
}

type FixedPorts = [number, number, number, number, number];

async function startOn(
  machine: Machine,
  programs: { java: string; keytool: string; classPath: string },
  layout: Layout,
  options: KafkaOptions,
): Promise<Taken<StartedKafka>> {
  const { ports, routes } = layout;
  const jvmOptions = options.jvmOptions ?? [...smallHeap, ...quickJvm];
  const cluster = await startCluster({ machine, ...programs, ports, jvmOptions, config: options.config ?? {} });
  const provider = machine.kind;
  const classPath = provider === 'local' ? programs.classPath : undefined;
  const security = securityOf(cluster, ports[0]?.secured, machine.address);
  const many = ports.length === 1 ? 'broker' : `cluster of ${ports.length} brokers`;
  return {
    value: { brokers: cluster.brokers, provider, classPath, cluster, security, routes },
    description: `${provider} ${many} ${kafkaVersion()} on ${cluster.brokers.join(',')}`,
  };
}

function securityOf(cluster: Cluster, secured: BrokerPorts['secured'], address: string): KafkaSecurity | undefined {
  if (secured === undefined || cluster.ca === undefined) return undefined;
  const at = (port: number) => `${address}:${port}`;
  return kafkaSecurity(cluster.ca, {
    saslPlaintext: at(secured.saslPlaintext),
    ssl: at(secured.ssl),
    saslSsl: at(secured.saslSsl),
  });
}

function serviceOf(kafka: StartedKafka): KafkaService {
  const owned = (): Cluster => {
    if (kafka.cluster === undefined) throw new Error('this Kafka is shared: ask for one with owned: true');
    return kafka.cluster;
  };
  return {
    ...kafkaAdmin(kafka.brokers),
    brokers: kafka.brokers,
    provider: kafka.provider,
    classPath: kafka.classPath,
    security: kafka.security,
    routes: kafka.routes,
    proxiedBrokers: kafka.routes[0]?.brokers ?? [],
    proxies: kafka.routes[0]?.proxies ?? [],
    stop: async () => {
      await Promise.all(kafka.routes.flatMap(({ proxies }) => proxies.map((proxy) => proxy.close())));
      await kafka.cluster?.stop();
    },
    restart: async (whileDown) => owned().restart(whileDown),
    killBroker: async (id) => owned().killBroker(id),
    startBroker: async (id) => owned().startBroker(id),
    runTool: async (mainClass, args) => owned().runTool(mainClass, args),
  };
}
