/** What every benchmark does around its own work: help, a folder that goes away, one sentence for a failure. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { endAll } from './processes.mjs';

/** The options of the command line; ends the process with a sentence if they are wrong. */
export function given(readArguments) {
  try {
    return readArguments(process.argv.slice(2));
  } catch (error) {
    console.error(error.message);
    process.exit(1);
  }
}

/** @param closing run at the exit, before the folder goes */
export async function bench(name, { dir, help }, text, main, closing = () => {}) {
  if (help) return console.log(text);
  const root = mkdtempSync(join(dir, `beeline-${name}-`));
  process.on('exit', () => {
    closing();
    rmSync(root, { recursive: true, force: true });
  });
  try {
    await main(root);
  } catch (error) {
    console.error(`The benchmark failed: ${error.message}`);
    process.exitCode = 1;
  } finally {
    endAll();
  }
}
