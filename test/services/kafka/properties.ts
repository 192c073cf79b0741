/** `server.properties` of a broker that is also a controller, from a few numbers; and its secured listeners. */
export interface BrokerPorts {
  readonly controller: number;
  readonly plaintext: number;
  /** Only of a secured broker. */
  readonly secured?: { readonly saslPlaintext: number; readonly ssl: number; readonly saslSsl: number };
  /** One for each route: a PLAINTEXT listener, and the proxy's port on 127.0.0.1 that it advertises. */
  readonly routes: readonly { readonly listen: number; readonly advertised: number }[];
}

interface Listener {
  readonly name: string;
  readonly protocol: string;
  readonly port: number;
  readonly advertised: string;
}

export interface BrokerPlan {
  readonly nodeId: number;
  readonly nodes: readonly { readonly nodeId: number; readonly ports: BrokerPorts }[];
  readonly address: string;
  readonly bindAddress: string;
  readonly dataDir: string;
  readonly keystore?: { readonly path: string; readonly password: string };
  /** Wins over everything else. */
  readonly config: Readonly<Record<string, string>>;
}

/** People of the secured listeners. `powerless` has a right password and no rights. */
export const users = {
  powerful: { username: 'alice', password: 'alice-secret' },
  powerless: { username: 'mallory', password: 'mallory-secret' },
} as const;

const replicasMax = 3;

export function brokerProperties(plan: BrokerPlan): Record<string, string> {
  const self = plan.nodes.find((node) => node.nodeId === plan.nodeId);
  if (self === undefined) throw new Error(`node ${plan.nodeId} is not in the plan`);
  const replicas = Math.min(replicasMax, plan.nodes.length);
  const isr = replicas === 1 ? 1 : 2;
  const listeners = listenersOf(self.ports, plan.address);
  const bound = listeners.map(({ name, port }) => `${name}://${plan.bindAddress}:${port}`);
  const protocols = listeners.map(({ name, protocol }) => `${name}:${protocol}`);
  return {
    'process.roles': 'broker,controller',
    'node.id': String(plan.nodeId),
    'controller.quorum.voters': plan.nodes.map((n) => `${n.nodeId}@127.0.0.1:${n.ports.controller}`).join(','),
    listeners: [...bound, `CONTROLLER://127.0.0.1:${self.ports.controller}`].join(','),
    'advertised.listeners': listeners.map(({ name, advertised }) => `${name}://${advertised}`).join(','),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': [...protocols, 'CONTROLLER:PLAINTEXT'].join(','),
    'log.dirs': plan.dataDir,
    'auto.create.topics.enable': 'false',
    'offsets.topic.replication.factor': String(replicas),
    'transaction.state.log.replication.factor': String(replicas),
    'transaction.state.log.min.isr': String(isr),
    'share.coordinator.state.topic.replication.factor': String(replicas),
    'share.coordinator.state.topic.min.isr': String(isr),
    // Fewer files to make on first use than with the usual 50.
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.num.partitions': '4',
    // Nothing here waits for what a production broker waits for.
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '500',
    // KIP-848: the broker decides for the members.
    'group.consumer.min.heartbeat.interval.ms': '500',
    'group.consumer.heartbeat.interval.ms': '1000',
    'group.consumer.min.session.timeout.ms': '2000',
    'group.consumer.session.timeout.ms': '4000',
    'transaction.abort.timed.out.transaction.cleanup.interval.ms': '500',
    'log.initial.task.delay.ms': '500',
    'log.retention.check.interval.ms': '1000',
    'log.segment.delete.delay.ms': '1000',
    'log.retention.ms': '-1',
    'broker.session.timeout.ms': '3000',
    'broker.heartbeat.interval.ms': '500',
    'log.cleaner.dedupe.buffer.size': '8388608',
    ...(plan.keystore === undefined ? {} : securedProperties(plan.keystore)),
    ...plan.config,
  };
}

function listenersOf(ports: BrokerPorts, address: string): Listener[] {
  const own = (name: string, port: number): Listener => ({
    name,
    protocol: name,
    port,
    advertised: `${address}:${port}`,
  });
  const listeners = [own('PLAINTEXT', ports.plaintext)];
  if (ports.secured !== undefined) {
    const { saslPlaintext, ssl, saslSsl } = ports.secured;
    listeners.push(own('SASL_PLAINTEXT', saslPlaintext), own('SSL', ssl), own('SASL_SSL', saslSsl));
  }
  const proxied = ports.routes.map(({ listen, advertised }, index) => ({
    name: `ROUTE_${index + 1}`,
    protocol: 'PLAINTEXT',
    port: listen,
    advertised: `127.0.0.1:${advertised}`,
  }));
  return [...listeners, ...proxied];
}

/** TLS, all SASL mechanisms, and an authorizer that knows one powerful user beside the unnamed ones of PLAINTEXT and SSL. */
function securedProperties(keystore: { path: string; password: string }): Record<string, string> {
  const modules = 'org.apache.kafka.common.security';
  const passwords = Object.values(users).map(({ username, password }) => `user_${username}="${password}"`);
  const mechanisms: Record<string, string> = {
    plain: `${modules}.plain.PlainLoginModule required ${passwords.join(' ')};`,
    'scram-sha-256': `${modules}.scram.ScramLoginModule required;`,
    'scram-sha-512': `${modules}.scram.ScramLoginModule required;`,
    oauthbearer: `${modules}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`,
  };
  const properties: Record<string, string> = {
    'ssl.keystore.type': 'PKCS12',
    'ssl.keystore.location': keystore.path,
    'ssl.keystore.password': keystore.password,
    'ssl.key.password': keystore.password,
    'sasl.enabled.mechanisms': Object.keys(mechanisms)
      .map((name) => name.toUpperCase())
      .join(','),
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': `User:ANONYMOUS;User:${users.powerful.username}`,
  };
  for (const listener of ['sasl_plaintext', 'sasl_ssl']) {
    for (const [mechanism, module] of Object.entries(mechanisms)) {
      properties[`listener.name.${listener}.${mechanism}.sasl.jaas.config`] = module;
    }
  }
  return properties;
}

/** Arguments of `StorageTool format` that make the users of SCRAM. */
export function scramArguments(): string[] {
  return Object.values(users).flatMap(({ username, password }) =>
    ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
      '--add-scram',
      `${mechanism}=[name=${username},password=${password}]`,
    ]),
  );
}

export function propertiesText(properties: Readonly<Record<string, string>>): string {
  return Object.entries(properties)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}
