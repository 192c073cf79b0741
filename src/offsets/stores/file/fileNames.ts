import { TidemarkError } from '../../../errors.ts';

const suffix = '.json';
/** The longest name of a file on usual file systems, less what a temporary name or a lock adds. */
const nameBytesMax = 255 - 48;

/** The file of a pipeline: its name, with %XX for what a file cannot be called everywhere. */
export function fileNameOf(pipeline: string): string {
  const safe = encodeURIComponent(pipeline).replace(/[!'()*~]|^\./g, (character) => `%${hex(character)}`);
  const name = `${safe}${suffix}`;
  if (pipeline !== '' && name.length <= nameBytesMax) return name;
  throw new TidemarkError(
    'CONFIG_INVALID',
    `The name of a pipeline must make a file name of at most ${nameBytesMax} bytes, this one makes ${name.length}`,
    { path: 'pipeline', hint: 'Choose a shorter name.' },
  );
}

/** undefined for a file that is none of a pipeline. */
export function pipelineOfFile(name: string): string | undefined {
  if (!name.endsWith(suffix)) return undefined;
  try {
    const pipeline = decodeURIComponent(name.slice(0, -suffix.length));
    return fileNameOf(pipeline) === name ? pipeline : undefined;
  } catch {
    return undefined;
  }
}

function hex(character: string): string {
  return character.charCodeAt(0).toString(16).toUpperCase();
}
