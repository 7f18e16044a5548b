/** Shows the folder in which files have arrived, on the desktop. No file that arrived is ever opened. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, isAbsolute } from 'node:path';
import type { Env } from './options.ts';

/**
 * The program, and its words before the folder; undefined where there is no desktop. Windows looks for a bare name in the current
 * folder first, which is where files of that name may just have arrived.
 */
export function folderOpener(platform: NodeJS.Platform, env: Env): readonly string[] | undefined {
  if (platform === 'win32') return [`${env.SystemRoot ?? 'C:\\Windows'}\\explorer.exe`];
  // By its name: `open` alone would start a folder that is called like an application.
  if (platform === 'darwin') return env.SSH_CONNECTION ? undefined : ['/usr/bin/open', '-a', 'Finder'];
  return env.DISPLAY || env.WAYLAND_DISPLAY ? ['xdg-open'] : undefined;
}

/**
 * Resolves once the program runs; it goes on when this process has ended.
 * @param folder absolute, so that it is no flag of the program
 * @throws Node's error if there is no such program
 */
export async function openFolder([program = '', ...words]: readonly string[], folder: string) {
  const child = spawn(program, [...words, folder], {
    ...{ detached: true, stdio: 'ignore' },
    // Nor is anything beside what arrived loaded by it.
    ...(isAbsolute(program) && { cwd: dirname(program) }),
  });
  await once(child, 'spawn');
  child.unref();
  return child;
}
