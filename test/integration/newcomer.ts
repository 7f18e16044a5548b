/** Somebody who has nothing: a home folder of its own, and no settings of npm, of git or of this process. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clean } from './packed.ts';

/** Milliseconds; a file ends after 600 s (scripts/test.mjs), and has to say before what it waits for. */
export const INSTALL_LIMIT = { timeout: 570_000 };
/** Of one program. */
const RUN_MS = 540_000;

export interface Newcomer {
  dir: string;
  env: NodeJS.ProcessEnv;
  /** A program in a folder of `dir`, which is made if need be; what it prints. */
  run(cwd: string, command: string, ...args: string[]): string;
  remove(): void;
}

export function newcomer(): Newcomer {
  const dir = mkdtempSync(join(tmpdir(), 'beeline-install-'));
  const home = join(dir, 'home');
  mkdirSync(home);
  const env: NodeJS.ProcessEnv = { ...clean };
  for (const key of Object.keys(env)) if (/^(GIT|BEELINE|XDG)_/.test(key)) delete env[key];
  Object.assign(env, {
    HOME: home,
    GIT_CONFIG_GLOBAL: '/dev/null',
    npm_config_userconfig: '/dev/null',
    npm_config_cache: join(dir, 'cache'),
    npm_config_update_notifier: 'false',
    npm_config_prefer_offline: 'true',
  });
  return {
    dir,
    env,
    run(cwd, command, ...args) {
      mkdirSync(join(dir, cwd), { recursive: true });
      return execFileSync(command, args, {
        ...{ cwd: join(dir, cwd), env, encoding: 'utf8', timeout: RUN_MS, killSignal: 'SIGKILL' },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    },
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}
