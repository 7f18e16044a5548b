/** The slow disk of slow-disk.c, where there is a compiler and a loader that takes it. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCE = fileURLToPath(new URL('./slow-disk.c', import.meta.url));

/**
 * Builds it in a folder.
 * @returns the environment of a process with a slow disk; undefined, and why, where that cannot be
 */
export function slowDisk(folder: string): { env?: Record<string, string>; why?: string } {
  if (process.platform !== 'linux') return { why: `not on ${process.platform}` };
  const library = join(folder, 'slow-disk.so');
  try {
    execFileSync('gcc', ['-shared', '-fPIC', '-O1', '-o', library, SOURCE, '-ldl'], { stdio: 'pipe' });
  } catch (error) {
    return { why: `no gcc that builds it: ${String(error).split('\n')[0]}` };
  }
  return { env: { LD_PRELOAD: library } };
}
