/** What a test's child process runs: to compile all that it imports anew, by tsx, takes half a second of a core. */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const BUNDLE = process.env.BEELINE_TEST_BUNDLE;

export interface ChildModule {
  /** For `import()`. */
  url: string;
  path: string;
  /** Arguments of Node, before all others. */
  node: string[];
}

/**
 * A module of this repository for a child process, bundled if this test is. scripts/test.mjs looks for these calls, so the path is
 * written out.
 */
export function childModule(path: string): ChildModule {
  const at = BUNDLE === undefined ? resolve(path) : resolve(BUNDLE, path.replace(/\.ts$/, '.js'));
  const node = BUNDLE === undefined ? ['--import', import.meta.resolve('tsx')] : [];
  return { url: pathToFileURL(at).href, path: at, node };
}
