/** Makes the generated parts of the documentation anew: `npm run docs`. */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { pages, readPage, withGeneratedParts } from './docs/pages.ts';

for (const page of pages) {
  const file = fileURLToPath(new URL(`../${page}`, import.meta.url));
  writeFileSync(file, withGeneratedParts(readPage(page)));
}
