/** The running emulator of lab/wan.c: its start, its counters and its end. */
import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';

/** Milliseconds for the devices to be there, and for an answer. */
const DEADLINE = 10_000;
/** Characters kept of what a failing emulator says. */
const MAX_SAID = 4096;

/** One direction since the link began, in packets but for `bytes`. */
export interface Counters {
  /** Delivered, and their bytes. */
  packets: number;
  bytes: number;
  /** Lost by chance. */
  lost: number;
  /** Dropped because the queue was full. */
  dropped: number;
  /** Not taken by the device at the far end. */
  refused: number;
}

export interface Emulator {
  readonly pid: number;
  counters(): Promise<readonly [Counters, Counters]>;
  end(): void;
}

/** Starts it and waits for its devices. Rejects with what it said when it ends instead. */
export async function startEmulator(program: string, args: readonly string[]): Promise<Emulator> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  // It ends with this process, whose end closes its stdin; it shall not keep this process from ending.
  child.unref();
  for (const stream of child.stdio.slice(0, 3)) (stream as Socket).unref();
  let said = '';
  let text = '';
  let gone: Error | undefined;
  const waiting: { resolve(line: string): void; reject(error: Error): void }[] = [];
  const fail = (error: Error): void => {
    gone ??= error;
    for (const one of waiting.splice(0)) one.reject(gone);
  };
  child.stdin.on('error', () => {
    // Broken pipe: 'close' tells what happened.
  });
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    said = (said + part).slice(0, MAX_SAID);
  });
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    const lines = (text + part).split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) waiting.shift()?.resolve(line);
  });
  child.on('error', fail);
  child.on('close', (code, signal) =>
    fail(new Error(`the emulator ended with ${code ?? signal}: ${said.trim()}`)),
  );

  const line = (): Promise<string> =>
    new Promise((resolve, reject) => {
      if (gone) return reject(gone);
      const timer = setTimeout(() => fail(new Error('the emulator does not answer')), DEADLINE);
      const settle =
        <T>(how: (value: T) => void) =>
        (value: T) => {
          clearTimeout(timer);
          how(value);
        };
      waiting.push({ resolve: settle(resolve), reject: settle(reject) });
    });
  const end = (): void => {
    child.kill('SIGTERM');
    child.stdin.destroy();
  };
  try {
    const first = await line();
    if (first !== 'ready') throw new Error(`the emulator said: ${first}`);
  } catch (error) {
    end();
    throw error;
  }
  return {
    pid: child.pid!,
    counters: async () => {
      child.stdin.write('\n');
      return JSON.parse(await line());
    },
    end,
  };
}
