/** Debian's redis-server, on loopback, with a folder of its own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { answers, freePort } from './ports.ts';

/** Why it cannot be started here; false if it can. */
export const NO_REDIS: string | false =
  spawnSync('redis-server', ['--version']).status === 0 ? false : 'redis-server is not installed';

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** As its machine's power fails. It forgets everything. */
  kill(): Promise<void>;
  /** Again, on the same port. */
  start(): Promise<void>;
  /** It answers nothing, until `go`. */
  hang(): void;
  go(): void;
  /** Commands as a person has them. @returns the bare answer */
  command(...words: string[]): string;
  close(): Promise<void>;
}

export async function startRedis(password = ''): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'beeline-redis-'));
  const port = await freePort();
  let child: ChildProcess | undefined;
  const kill = async () => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGCONT');
    child.kill('SIGKILL');
    await ended;
  };
  const start = async () => {
    child = spawn(
      'redis-server',
      [
        ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder],
        ...['--save', '', '--appendonly', 'no', '--loglevel', 'warning'],
        ...(password ? ['--requirepass', password] : []),
      ],
      { stdio: 'ignore' },
    );
    for (let tries = 0; !(await answers(port)); tries++) {
      if (tries > 200 || child.exitCode !== null) throw new Error('redis-server did not start');
      await sleep(25);
    }
  };
  await start();
  const auth = password ? `:${password}@` : '';
  return {
    ...{ port, kill, start, url: `redis://${auth}127.0.0.1:${port}` },
    hang: () => void child!.kill('SIGSTOP'),
    go: () => void child!.kill('SIGCONT'),
    command(...words) {
      const login = password ? ['-a', password, '--no-auth-warning'] : [];
      // The last word by its standard input: an argument cannot be long.
      const last = words.pop() ?? '';
      const args = ['-p', String(port), ...login, '-x', ...words];
      return spawnSync('redis-cli', args, { encoding: 'utf8', input: last }).stdout.trim();
    },
    async close() {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
