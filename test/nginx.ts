/** Debian's nginx in front of something, on loopback. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { answers } from './ports.ts';

/** Its directives for folders of its own, which a test's user can write to. */
const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

/**
 * The whole of a configuration of which pages show one `server` block; it says on stderr when it has begun.
 * @returns its path
 */
export function writeNginxConf(folder: string, site: string): string {
  const path = join(folder, 'nginx.conf');
  writeFileSync(
    path,
    [
      ...['daemon off;', 'worker_processes 1;', `pid ${folder}/pid;`, 'error_log stderr notice;'],
      ...(process.getuid?.() === 0 ? ['user root;'] : []),
      'events {}',
      'http {',
      'access_log off;',
      ...TEMPORARY.map((name) => `${name}_temp_path ${folder}/${name};`),
      site,
      '}',
    ].join('\n'),
  );
  return path;
}

/**
 * @param folder for its configuration and temporary files
 * @param site a `server` block that listens on `port` of 127.0.0.1
 * @returns ends it, and resolves when it has ended
 */
export async function startNginx(folder: string, site: string, port: number): Promise<() => Promise<void>> {
  const conf = writeNginxConf(folder, site);
  const child = spawn('nginx', ['-p', folder, '-c', conf], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (part) => {
    said += part;
  });
  const ended = once(child, 'exit');
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    await ended;
  };
  for (let tries = 0; !(await answers(port)); tries++) {
    if (tries < 200 && child.exitCode === null) await sleep(50);
    else {
      await stop();
      throw new Error(`nginx did not start: ${said}`);
    }
  }
  return stop;
}
