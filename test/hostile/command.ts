/** The command itself with the real library, in this process, on a terminal or without one. */
import { PassThrough } from 'node:stream';
import { dispatch } from '../../src/cli/dispatch.ts';
import type { Host, Library } from '../../src/cli/host.ts';
import { Keyboard, Sink } from '../cli/fakes.ts';

export interface Ran {
  status: number;
  stdout: string;
  stderr: string;
}

export interface CommandOptions {
  terminal?: boolean;
  /** What the person types. */
  typed?: string;
  env?: Record<string, string>;
  /** Instead of the real one. */
  library?: Library;
}

export async function runCommand(argv: readonly string[], options: CommandOptions = {}): Promise<Ran> {
  const { terminal = false, typed = '', env = {} } = options;
  const [stdout, stderr] = [new Sink(terminal), new Sink(terminal, 100)];
  const stdin = terminal ? new Keyboard() : new PassThrough().end();
  if (terminal) stdin.write(typed);
  const library = async () => options.library ?? (await import('../../src/index.ts'));
  const host: Host = {
    env: { TERM: 'xterm', ...env },
    stdin,
    stdout,
    stderr,
    send: async () => (await library()).send,
    outbox: () => Promise.reject(new Error('no outbox here')),
    listen: () => Promise.reject(new Error('no inbox here')),
    proxied: async () => (await import('../../src/node/proxied.ts')).onlyThrough,
    preview: async () => (await import('../../src/node/preview.ts')).preview,
    receive: async () => (await library()).receive,
    download: async () => (await library()).download,
    desktop: async () => undefined,
    codes: async () => ({
      ...(await import('../../src/identity/code.ts')),
      ...(await import('../../src/identity/doubt.ts')),
      ...(await import('../../src/identity/completion.ts')),
    }),
    serve: async () => (await import('../../src/node/serve.ts')).serve,
    server: () => import('../../src/server/index.ts'),
    devices: () => Promise.reject(new Error('no devices here')),
  };
  const status = await dispatch(argv, host);
  return { status, stdout: stdout.text, stderr: stderr.text };
}
