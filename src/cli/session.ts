/** Runs one transfer with all that belongs to it: lines, progress, keys, JSON, metrics, logs and signals. */

import { resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { until } from '../base/clock.ts';
import { asBeelineError, BeelineError, retold } from '../base/errors.ts';
import type { Transfer, TransferEvent, TransferOptions } from '../node/api.ts';
import { isOfOther } from '../session/meaning.ts';
import { usage } from './args.ts';
import { Board } from './board.ts';
import { boardDrawing } from './board-lines.ts';
import { BrokenPipe } from './exit.ts';
import { count } from './format.ts';
import type { Host } from './host.ts';
import { afterCancel, afterInterrupt, Interrupt, type InterruptedSide, interrupted } from './interrupt.ts';
import { writeEvent } from './json.ts';
import { Keys, stopsOutput } from './keys.ts';
import { type Log, openLog } from './log.ts';
import { keepEnd } from './measure.ts';
import type { Face } from './options.ts';
import { drawingOf, ProgressLine } from './progress.ts';
import { Prompt } from './prompt.ts';
import { Report, type ReportOptions } from './report.ts';
import { Screen } from './screen.ts';
import { Tracker } from './tracker.ts';

export interface TransferRunOptions {
  face: Face;
  metricsPort?: number;
  /** stdin carries data (or a code), so it has no keys. */
  stdinTaken: boolean;
  report: Omit<ReportOptions, 'terse' | 'json' | 'board'>;
  /** How many are to receive; absent: one. */
  several?: number | 'any';
  /** It is one of several offers that are received in turn. */
  turn?: Turn;
  /** For what is said of an interruption. */
  side: Omit<InterruptedSide, 'role'>;
}

export interface Turn {
  /** From 1. All its events have this number. */
  arrival: number;
  /** Others come after it, so it is not given to other receivers once it has arrived. */
  more: boolean;
  /** Of all of them together. */
  interrupt: Interrupt;
}

const ASK_CANCEL =
  'Press c again to cancel for good: then only files that are whole are kept. (Ctrl-C stops, and you can go on later.)';

export class TransferRun {
  readonly screen: Screen;
  readonly interrupt: Interrupt;
  readonly prompt: Prompt;
  readonly report: Report;
  readonly #host: Host;
  readonly #options: TransferRunOptions;
  readonly #tracker = new Tracker();
  readonly #board: Board | undefined;
  readonly #keys: Keys;
  #progress: ProgressLine | undefined;
  #transfer: Transfer | undefined;
  #log: Log | undefined;
  #metrics: { close(): void } | undefined;
  #cancelledBy: 'self' | 'peer' | undefined;
  /** Aborted when it is not to be given to others. */
  readonly #left = new AbortController();
  readonly #stopped = () => {
    const keyboard = this.screen.live ? ' Press Ctrl-C again to stop at once.' : '';
    if (!this.#broken) this.report.say(`Stopping.${keyboard}`);
  };
  #broken = false;
  #kind: 'files' | 'text' | 'stream' | undefined;

  constructor(host: Host, options: TransferRunOptions) {
    const { json, quiet } = options.face;
    this.#host = host;
    this.#options = options;
    this.interrupt = options.turn?.interrupt ?? new Interrupt();
    this.screen = new Screen(host.stderr, host.env);
    const { several } = options;
    this.#board = several === undefined ? undefined : new Board(several);
    const how = { ...options.report, terse: json || quiet, json, board: this.#board };
    this.report = new Report(this.screen, host.stdout, how);
    this.#keys = new Keys(host.stdin, {
      pause: () => this.#transfer?.pause(),
      resume: () => this.#transfer?.resume(),
      askCancel: () => {
        if (this.#transfer) this.report.say(ASK_CANCEL);
      },
      cancel: () => this.#transfer?.cancel(),
      interrupt: () => this.interrupt.now(),
      redraw: () => {
        this.screen.hold('nothing');
        this.#progress?.changed();
      },
      background: () => this.screen.hold(stopsOutput() ? 'all' : 'status'),
    });
    this.prompt = new Prompt({
      input: host.stdin,
      output: host.stderr,
      interrupt: this.interrupt,
      before: () => {
        this.#keys.stop();
        this.#progress?.stop();
      },
      after: () => this.#startKeys(),
    });
    this.interrupt.signal.addEventListener('abort', this.#stopped);
    host.stdout.on('error', this.#onStdoutError);
  }

  /** Opens log and metrics, and adds them and the signal to the library's options. */
  async prepare<T extends TransferOptions>(options: T, secrets: readonly (string | undefined)[]): Promise<T> {
    const { face, metricsPort } = this.#options;
    this.#log = await openLog(face, (lines) => this.screen.raw(lines));
    for (const secret of secrets) if (secret !== undefined) this.#hide(secret);
    if (metricsPort !== undefined) {
      const { serveCommandMetrics, transferMetrics } = await import('./metrics.ts');
      const metrics = await serveCommandMetrics(metricsPort, () => transferMetrics(this.#view, this.#board));
      this.#metrics = metrics;
      this.report.say(`Metrics: ${metrics.url}`);
    }
    this.interrupt.signal.throwIfAborted();
    const signal = AbortSignal.any([this.interrupt.signal, this.#left.signal]);
    return { ...options, signal, log: this.#log?.logger };
  }

  /**
   * What shows the folder at the end, if that is wanted. @param folder called then
   * @throws BeelineError USAGE where there is no desktop: before anybody is met
   */
  async opener(wanted: boolean, folder: () => string): Promise<() => Promise<void>> {
    if (!wanted) return async () => {};
    const open = await this.#host.desktop();
    if (!open) throw usage('receive', '--open needs a desktop, and there is none here.');
    return async () => {
      // A text made no folder.
      if (this.#kind === 'text') return;
      const failed = ({ message }: Error) =>
        this.report.say(`Warning: the folder could not be shown: ${message}`);
      await open(resolve(folder())).catch(failed);
    };
  }

  /** Resolves when the transfer is done. @throws BeelineError; BrokenPipe */
  async follow(transfer: Transfer): Promise<void> {
    this.#transfer = transfer;
    this.#startKeys();
    // Listening rather than iterating: an iterator that lags may skip events, and a script counts on all of them.
    const stop = transfer.subscribe((event) => this.#show(event));
    try {
      const result = await until(this.interrupt.overdue, () => transfer.done);
      this.#progress?.stop();
      this.report.finished(result);
      await this.#serve(transfer);
    } catch (thrown) {
      this.#progress?.stop();
      this.screen.status([]);
      if (!this.#broken) this.report.unfinished(thrown);
      throw this.#explained(thrown);
    } finally {
      stop();
      this.#transfer = undefined;
      this.#keys.stop();
      this.#progress?.stop();
    }
  }

  /** What has arrived is given to others who still receive it, for as long as they do or until Ctrl-C. */
  async #serve({ closed }: Transfer): Promise<void> {
    if (this.#options.turn?.more) this.#left.abort();
    const open = await Promise.race([closed.then(() => false), setImmediate(true)]);
    if (open && !this.#left.signal.aborted)
      this.report.say('Others still fetch from here. Ctrl-C ends that. What arrived here is whole.');
    await until(this.interrupt.overdue, () => closed).catch(() => {});
  }

  close(): void {
    this.#keys.stop();
    this.#progress?.stop();
    this.#metrics?.close();
    this.#log?.close();
    this.interrupt.signal.removeEventListener('abort', this.#stopped);
    if (!this.#options.turn) this.interrupt.close();
    this.#host.stdout.off('error', this.#onStdoutError);
  }

  /** Of one receiver, or of all together. */
  get #view(): Tracker {
    return this.#board?.whole ?? this.#tracker;
  }

  /** An event for programs, if they listen. */
  tell(event: { event: string }): void {
    const { face, turn } = this.#options;
    const told = { ...event, ...(turn && { arrival: turn.arrival }) };
    if (face.json) writeEvent(this.#host.stdout, told);
  }

  #show(event: TransferEvent): void {
    const ofOther = isOfOther(this.#options.report.role, event);
    if (!ofOther) this.#tracker.apply(event);
    this.#board?.apply(event);
    if (event.event === 'code') this.#hide(event.code);
    if (event.event === 'manifest') this.#kind = event.kind;
    if (event.event === 'state' && event.to === 'cancelled') this.#cancelledBy = event.by;
    // Errors are told once, by the dispatcher, whether a transfer or the command line is at fault.
    if (event.event !== 'error') this.tell(event);
    // The count of files goes when there is other news; a warning stands above it.
    if (!this.#progress && !['reading', 'warning'].includes(event.event)) this.screen.status([]);
    if (!ofOther || event.event === 'warning') this.report.apply(event);
    this.#draw(event);
  }

  #draw(event: TransferEvent): void {
    const { json, quiet } = this.#options.face;
    if (json || quiet) return;
    if (event.event === 'reading')
      return this.screen.status([keepEnd(`Reading: ${count(event.files, 'file')}`, this.screen.width)]);
    if (event.event === 'done') return this.#progress?.stop();
    // Before bytes move there is nothing to draw, unless there are several; after a question the display starts anew.
    const first = this.#board ? 'peer' : 'progress';
    const begins = event.event === first || event.event === 'progress';
    if (begins && (!this.#progress || this.#progress.stopped))
      this.#progress = new ProgressLine(
        this.screen,
        this.#board ? boardDrawing(this.#board) : drawingOf(this.#tracker),
      );
    this.#progress?.changed();
  }

  #startKeys(): void {
    if (this.#transfer && !this.#options.stdinTaken && this.#host.stderr.isTTY) this.#keys.start();
  }

  /** The code, and its secret part alone. */
  #hide(secret: string): void {
    this.#log?.hide(secret);
    const dash = secret.indexOf('-');
    if (dash > 0) this.#log?.hide(secret.slice(dash + 1));
  }

  #explained(thrown: unknown): Error {
    if (this.#broken) return new BrokenPipe();
    const { side, report } = this.#options;
    const here = { ...side, role: report.role, several: this.#board !== undefined };
    const next = () => afterInterrupt(here, this.#tracker);
    // Whatever error an interruption caused, the person is told of the interruption.
    if (this.interrupt.signal.aborted) return interrupted(next());
    const error = asBeelineError(thrown);
    if (error.code === 'NO_PATH' && this.#tracker.bytes > 0)
      return retold(error, `${error.message} ${next()}`);
    if (error.code !== 'CANCELLED' || this.#cancelledBy === undefined || this.#board) return error;
    const who = this.#cancelledBy === 'peer' ? 'The other side cancelled the transfer.' : 'Cancelled.';
    return new BeelineError('CANCELLED', `${who} ${afterCancel(here, this.#tracker)}`, { cause: error });
  }

  readonly #onStdoutError = (error: NodeJS.ErrnoException): void => {
    if (error.code !== 'EPIPE' || this.#broken) return;
    this.#broken = true;
    // The end is orderly, so that the other side is told. Nothing is said here.
    if (!this.interrupt.signal.aborted) this.interrupt.now();
  };
}
