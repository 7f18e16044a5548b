import { TokenBuckets } from '../base/bucket.ts';

/** Where the server's log lines go; pino and console-like loggers fit. Never a body or a whole nameplate in one. */
export interface ServerLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** Lines of each kind a second, and so many at once. So refused strangers fill no disk. */
const PER_SECOND = 1;
const BURST = 50;

/** For events that strangers cause. A line too many is only counted, and the next of its kind says how many. */
export class StrangersLog {
  readonly #log: ServerLog;
  readonly #rate = new TokenBuckets(PER_SECOND, BURST);
  readonly #unlogged = new Map<string, number>();

  constructor(log: ServerLog) {
    this.#log = log;
  }

  /** @param message one of a few sentences of ours */
  warn(fields: object, message: string): void {
    const unlogged = this.#unlogged.get(message) ?? 0;
    if (!this.#rate.take(message)) return void this.#unlogged.set(message, unlogged + 1);
    this.#unlogged.delete(message);
    this.#log.warn({ ...fields, ...(unlogged > 0 && { unlogged }) }, message);
  }
}

export const SILENT: ServerLog = { debug() {}, info() {}, warn() {} };
