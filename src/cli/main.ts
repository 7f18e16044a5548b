#!/usr/bin/env node
/**
 * The `beeline` command. First of all its arguments leave what `ps` shows: loading the rest takes a moment, and a code may be among them.
 * The rest is process.ts, which the build makes one script of, beside this one.
 */
import { fileURLToPath } from 'node:url';

process.title = 'beeline';
void import('./code-cache.ts').then(({ runCached }) =>
  runCached(fileURLToPath(new URL('./process.js', import.meta.url)), use(process.argv.slice(2))),
);

/** A transfer's start is what somebody waits for. */
function use([command = '', ...flags]: string[]): string | undefined {
  const tells = flags.some((flag) => ['--help', '-h', '--version', '-V'].includes(flag));
  return ['send', 'receive'].includes(command) && !tells ? command : undefined;
}
