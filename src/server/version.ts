/** Which version this is. */
import { readFileSync } from 'node:fs';

/** From package.json, two folders above: src/server, dist/server, dist/cli and dist/chunks (where the bundler puts this) are alike in that. */
export function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
