/**
 * Single keys while a transfer runs: p, r, c, and Ctrl-C and Ctrl-Z, which a raw terminal hands over as characters.
 * Goal: however the process ends or stops, the terminal is left as it was found.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, readFileSync } from 'node:fs';
import type { Input } from './host.ts';

export interface KeyActions {
  pause(): void;
  resume(): void;
  /** `c` was pressed once: only a second one cancels. */
  askCancel(): void;
  cancel(): void;
  interrupt(): void;
  /** Back in the foreground after Ctrl-Z. */
  redraw(): void;
  /** In the background, from the start or after Ctrl-Z and `bg`. */
  background(): void;
}

/** The part of `process` that is used. */
export interface Signals {
  on(name: string, listener: () => void): unknown;
  off(name: string, listener: () => void): unknown;
  kill(pid: number, signal: NodeJS.Signals): unknown;
  readonly pid: number;
}

/** Milliseconds in which a second `c` belongs to the first. */
const ASKED_MS = 5_000;
/** No signal tells a running job that `fg` puts it in front, so it looks. */
const LOOK_MS = 500;

export class Keys {
  readonly #input: Input;
  readonly #actions: KeyActions;
  readonly #process: Signals;
  readonly #foreground: () => boolean;
  #raw = false;
  /** Node believes that the terminal is raw. */
  #stale = false;
  #wanted = false;
  /** Runs while this is in the background. */
  #looking: NodeJS.Timeout | undefined;
  /** `performance.now()` when `c` was pressed. */
  #askedAt = -Infinity;

  constructor(
    input: Input,
    actions: KeyActions,
    signals: Signals = process,
    foreground: () => boolean = inForeground,
  ) {
    this.#input = input;
    this.#actions = actions;
    this.#process = signals;
    this.#foreground = foreground;
  }

  start(): void {
    if (this.#wanted || !this.#input.isTTY || !this.#input.setRawMode) return;
    this.#wanted = true;
    this.#process.on('exit', this.#leave);
    this.#process.on('SIGTSTP', this.#suspend);
    this.#process.on('SIGCONT', this.#continue);
    this.#enter();
  }

  stop(): void {
    if (!this.#wanted) return;
    this.#wanted = false;
    this.#look(false);
    this.#leave();
    this.#process.off('exit', this.#leave);
    this.#process.off('SIGTSTP', this.#suspend);
    this.#process.off('SIGCONT', this.#continue);
  }

  readonly #enter = (): void => {
    // A background job that touches the terminal is stopped by SIGTTOU; `beeline send x &` must just run.
    if (this.#raw) return;
    if (!this.#foreground()) {
      this.#look(true);
      return this.#actions.background();
    }
    this.#look(false);
    this.#raw = true;
    // A shell may have changed the mode meanwhile, unnoticed by Node, which would do nothing then.
    if (this.#stale) this.#input.setRawMode!(false);
    this.#stale = false;
    this.#input.setRawMode!(true);
    this.#input.on('data', this.#read);
    this.#input.on('error', this.#leave); // the terminal is gone: go on without keys
    this.#input.resume();
  };

  #look(wanted: boolean): void {
    clearInterval(this.#looking);
    if (!wanted) return;
    this.#looking = setInterval(() => {
      if (this.#foreground()) this.#continue();
    }, LOOK_MS);
    this.#looking.unref();
  }

  readonly #leave = (): void => {
    if (!this.#raw) return;
    this.#raw = false;
    this.#input.off('data', this.#read);
    this.#input.off('error', this.#leave);
    this.#input.pause();
    this.#stale = !this.#foreground();
    if (this.#stale) return;
    try {
      this.#input.setRawMode!(false);
    } catch {
      // The terminal is gone (SIGHUP): there is nothing to restore.
    }
  };

  readonly #suspend = (): void => {
    this.#leave();
    // Our listener took the place of SIGTSTP's default action; SIGSTOP cannot be caught.
    this.#process.kill(this.#process.pid, 'SIGSTOP');
  };

  readonly #continue = (): void => {
    // Stopped by something else than Ctrl-Z: the shell has the terminal, or had it.
    if (this.#raw) {
      this.#leave();
      this.#stale = true;
    }
    this.#enter();
    if (this.#raw) this.#actions.redraw();
  };

  /** It throws away what has arrived, on both sides: so one key pressed by mistake must not do it. */
  #cancel(): void {
    const now = performance.now();
    if (now - this.#askedAt <= ASKED_MS) return this.#actions.cancel();
    this.#askedAt = now;
    this.#actions.askCancel();
  }

  readonly #read = (data: Buffer | string): void => {
    for (const key of data.toString().slice(0, 64)) {
      if (key !== 'c' && key !== 'C') this.#askedAt = -Infinity;
      if (key === 'p' || key === 'P') this.#actions.pause();
      else if (key === 'r' || key === 'R') this.#actions.resume();
      else if (key === 'c' || key === 'C') this.#cancel();
      else if (key === '\x03') this.#actions.interrupt();
      // 0 is the whole foreground group, which is whom the terminal itself would have stopped.
      else if (key === '\x1a' && process.platform !== 'win32') this.#process.kill(0, 'SIGTSTP');
      // An escape sequence (an arrow key) ends in letters that are not meant as keys.
      else if (key === '\x1b') return;
    }
  };
}

/** proc(5), /proc/pid/stat: the fields after the last ')' are state, ppid, pgrp, session, tty_nr, tpgid. */
export function inForeground(): boolean {
  try {
    const stat = readFileSync('/proc/self/stat', 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[2] === fields[5];
  } catch {
    // Not Linux: there is no cheap way to know, and in front is the usual place.
    return true;
  }
}

/**
 * For the end of a process in the background. Node would restore the terminal's mode then. For that SIGTTOU would stop the
 * process, and it would never end. So the descriptor that Node would use is closed.
 */
export function releaseTerminal(
  input: { _handle?: { fd?: number } | null },
  foreground = inForeground,
): void {
  const fd = input._handle?.fd;
  if (fd === undefined || fd <= 2 || foreground()) return;
  try {
    closeSync(fd);
  } catch {
    // Closed already.
  }
}

/** True if output of a background job stops it (`stty tostop`). */
export function stopsOutput(): boolean {
  try {
    const said = execFileSync('stty', ['-a'], { stdio: ['inherit', 'pipe', 'ignore'], timeout: 1000 });
    return /(?:^|\s)tostop\b/.test(said.toString('latin1'));
  } catch {
    return false;
  }
}
