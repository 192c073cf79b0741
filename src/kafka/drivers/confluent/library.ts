import { messageOf, TidemarkError } from '../../../errors.ts';
import { requireOptionalPackage } from '../../../platform/index.ts';
import type { AdminClient, Library, NativeAdmin } from './nativeTypes.ts';

export const packageName = '@confluentinc/kafka-javascript';
/** The one version whose ways the driver was written and tested for. */
export const packageVersion = '1.10.1';
/** Names a folder in whose `node_modules` the package was built, for where it is not among the application's own. */
export const folderVariable = 'TIDEMARK_CONFLUENT_DIR';

const installHint = `npm install ${packageName}@${packageVersion}; where no prebuilt binary can be fetched, build it: see "The confluent driver" in docs/drivers.md.`;
const rebuildHint = `Build it for this Node: npm rebuild ${packageName}, with install scripts allowed; see "The confluent driver" in docs/drivers.md.`;

/** Loads the package. Throws KAFKA_DRIVER_UNAVAILABLE that says which of the ways to be missing it is, and the remedy. */
export function loadLibrary(): Library {
  let loaded: unknown;
  try {
    loaded = requireOptionalPackage(packageName, folderVariable);
  } catch (error) {
    throw unavailable(error);
  }
  if (isLibrary(loaded)) return loaded;
  throw new TidemarkError(
    'KAFKA_DRIVER_UNAVAILABLE',
    `${packageName} is installed but is not the package it should be`,
    {
      hint: `Reinstall it: ${installHint}`,
    },
  );
}

function isLibrary(loaded: unknown): loaded is Library {
  const { KafkaConsumer, AdminClient: admin } = (loaded ?? {}) as Partial<Library>;
  return typeof KafkaConsumer === 'function' && typeof (admin as AdminClient | undefined)?.createFrom === 'function';
}

/** What the loader said, by what is wrong: each has another remedy. */
export function unavailable(cause: unknown): TidemarkError {
  const [what, hint] = diagnosis(messageOf(cause), codeOf(cause));
  return new TidemarkError('KAFKA_DRIVER_UNAVAILABLE', `kafka.driver: confluent: ${what}`, { hint, cause });
}

function diagnosis(text: string, code: string | undefined): [what: string, hint: string] {
  // The addon registers itself once a process: V8 refuses it in every thread but the first that loaded it.
  if (text.includes('did not self-register')) {
    return [
      `${packageName} cannot be loaded in a second thread of a process`,
      'Use it in one thread only, the main one or one worker; scale by processes.',
    ];
  }
  // The module `bindings` throws this without a code when there is no binary at any place where one could be.
  if (text.includes('Could not locate the bindings file')) {
    return [
      `${packageName} is installed without its native part: its install script did not run or failed`,
      rebuildHint,
    ];
  }
  if (code === 'ERR_DLOPEN_FAILED' || text.includes('NODE_MODULE_VERSION')) {
    return [`the native part of ${packageName} does not fit this Node or system: ${firstLine(text)}`, rebuildHint];
  }
  if (code === 'MODULE_NOT_FOUND') {
    return text.includes(`'${packageName}'`)
      ? [`${packageName} is not installed`, `Install it: ${installHint}`]
      : [
          `${packageName} is only partly installed, as after a build that failed: ${firstLine(text)}`,
          `Reinstall it: ${installHint}`,
        ];
  }
  return [`${packageName} cannot be loaded: ${firstLine(text)}`, `Reinstall it: ${installHint}`];
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? text;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** The admin interface over the connections of a consumer. */
export function adminOf(library: Library, consumer: Parameters<AdminClient['createFrom']>[0]): NativeAdmin {
  return library.AdminClient.createFrom(consumer);
}
