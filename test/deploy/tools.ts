/** Debian's programs that the tests of deploy/ run: the version of one, or why there is none here. */
import { execFileSync, spawnSync } from 'node:child_process';

/** @returns for `skip` of a test; in CI nothing is skipped, for there everything has to be */
export function without(program: string, ...args: string[]): string | false {
  try {
    execFileSync(program, args, { timeout: 20_000, stdio: 'ignore' });
    return false;
  } catch (error) {
    const why = `no ${program} here: ${error instanceof Error ? error.message : error}`;
    return process.env.CI ? false : why;
  }
}

/** What a program says, of both streams, and its exit code. */
export function run(program: string, args: string[], options: { cwd?: string } = {}) {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    ...{ encoding: 'utf8', timeout: 300_000 },
    ...options,
  });
  return { status, text: `${stdout ?? ''}${stderr ?? ''}${error ?? ''}` };
}
