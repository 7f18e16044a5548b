/** A program that runs in a namespace until it is told to stop, its settings and log in a folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds until a program that was started must be ready, and until one that is asked to end is killed. */
const START_DEADLINE = 60_000;
const STOP_DEADLINE = 3000;

/** Anything with a namespace to run programs in: a host, or a router. */
export interface Machine {
  readonly prefix: readonly string[];
}

export interface Service {
  /** Ends the program and removes its folder. Safe to call twice, and after the namespace is gone. */
  stop(): Promise<void>;
  /** What the program wrote so far. */
  log(): string;
  /** False once the program has ended by itself, or was stopped. */
  running(): boolean;
}

export class Program implements Service {
  /** For settings; only root reads it, so that secrets may be there. */
  readonly folder: string;
  #child: ChildProcess | undefined;
  readonly #log: string;
  #said = '';

  constructor(name: string) {
    this.folder = mkdtempSync(join(tmpdir(), `beeline-${name}-`));
    this.#log = join(this.folder, 'log');
  }

  /**
   * Starts the program, its output to the log, and waits until `ready`. `ip netns exec` becomes the program, so the
   * process id is the program's own.
   * @throws Error with the log, when it ends or is not ready in time; it is stopped then.
   */
  async start(machine: Machine, command: readonly string[], ready: (pid: number) => boolean): Promise<void> {
    const [word, ...words] = [...machine.prefix, ...command];
    const log = openSync(this.#log, 'a', 0o600);
    const child = spawn(word!, words, { cwd: this.folder, stdio: ['ignore', log, log] });
    closeSync(log);
    this.#child = child;
    child.on('error', () => {});
    for (const end = Date.now() + START_DEADLINE; !(this.running() && ready(child.pid!)); await sleep(10)) {
      if (this.running() && Date.now() < end) continue;
      await this.stop();
      throw new Error(`${command[0]} does not start:\n${this.#said}`);
    }
  }

  running(): boolean {
    const child = this.#child;
    return child?.pid !== undefined && child.exitCode === null && child.signalCode === null;
  }

  log(): string {
    try {
      return readFileSync(this.#log, 'utf8');
    } catch {
      return this.#said;
    }
  }

  async stop(): Promise<void> {
    if (this.running()) {
      const child = this.#child!;
      const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      child.kill('SIGTERM');
      const killer = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE);
      await ended;
      clearTimeout(killer);
    }
    this.#said = this.log();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Whether a socket in the namespace of process `pid` is bound to a port: a listening one for TCP, any for UDP. */
export function isBound(pid: number, protocol: 'tcp' | 'udp', port: number): boolean {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const listening = protocol === 'tcp' ? ' 0A ' : ' ';
  return ['', '6'].some((version) => {
    const table = readFileSync(`/proc/${pid}/net/${protocol}${version}`, 'utf8');
    return table
      .split('\n')
      .some((line) => line.trim().split(/\s+/)[1]?.endsWith(`:${hex}`) && line.includes(listening));
  });
}
