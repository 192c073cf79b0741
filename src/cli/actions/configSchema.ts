import { readFile, writeFile } from 'node:fs/promises';
import { editorSchema } from '../../config/index.ts';
import { messageOf } from '../../errors.ts';
import type { CommandContext } from '../host.ts';
import { usageError } from '../usage.ts';

/** Writes the schema to the file, or to standard output. */
export async function schemaTo(file: string | undefined, context: CommandContext): Promise<void> {
  const text = `${JSON.stringify(editorSchema(), null, 2)}\n`;
  if (file === undefined) context.out(text);
  else await writeSchema(file, text);
}

/** The other config commands read FILE: someone who takes this one for one of them must not lose a configuration. */
async function writeSchema(file: string, text: string): Promise<void> {
  if (!file.endsWith('.json')) throw usageError('FILE', `not a name for a schema (${file})`, 'allowed: *.json');
  const existing = await readFile(file, 'utf8').catch(() => '');
  if (existing.trim() !== '' && !existing.includes('"$schema"')) {
    throw usageError('FILE', `is there and holds no JSON schema (${file})`, 'allowed: a new file or an older schema');
  }
  try {
    await writeFile(file, text);
  } catch (error) {
    throw usageError('FILE', `cannot be written (${file}): ${messageOf(error)}`);
  }
}
