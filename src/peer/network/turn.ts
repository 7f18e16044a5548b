/** The sender's allocation at a TURN server: made anew when it is lost, with the peer's addresses let in. */
import { allocate, type TurnAllocation } from '../../lanes/turn/allocation.ts';
import type { Candidate } from '../../protocol/candidate.ts';
import { asBeelineError } from '../../protocol/errors.ts';
import type { ServedOptions } from './served.ts';

/** Milliseconds. */
const FIRST_PAUSE = 2_000;
const LONGEST_PAUSE = 60_000;

export class TurnSide {
  readonly #options: ServedOptions & { signal: AbortSignal };
  #allocation: TurnAllocation | undefined;
  #hosts: string[] = [];
  #pause = FIRST_PAUSE;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ServedOptions & { signal: AbortSignal }) {
    this.#options = options;
    void this.#allocate();
  }

  get candidates(): Candidate[] {
    return this.#allocation ? [{ type: 'turn', ...this.#allocation.relayed }] : [];
  }

  /** Whom the server is to let in: every address that the peer may come from. */
  permit(hosts: readonly string[]): void {
    this.#hosts = [...new Set(hosts)];
    void this.#permit();
  }

  /** The network has changed: a server that does not answer any more is noticed by asking it something. */
  check(): void {
    if (this.#allocation) return this.#allocation.check();
    this.#pause = FIRST_PAUSE;
    // Waiting for its next try: that may work now.
    if (this.#timer) void this.#allocate();
  }

  close(): void {
    clearTimeout(this.#timer);
    void this.#allocation?.close();
    this.#allocation = undefined;
  }

  async #allocate(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { mailbox, url, context, onPipe, onChange, log, signal } = this.#options;
    // As of now: credentials live for a day, and each welcome brings new ones.
    const server = mailbox.services.turn;
    if (!server || signal.aborted) return;
    try {
      const allocation = await allocate({
        ...{ server, context, onPipe, signal, ...(log && { log }) },
        rendezvous: new URL(url).hostname,
        onLost: (error) => {
          log?.info({ reason: error.message }, 'TURN allocation lost');
          this.#allocation = undefined;
          this.#again();
        },
      });
      if (signal.aborted) return void allocation.close();
      this.#allocation = allocation;
      this.#pause = FIRST_PAUSE;
      await this.#permit();
      onChange();
    } catch (thrown) {
      log?.info({ reason: asBeelineError(thrown).message }, 'no TURN allocation');
      this.#again();
    }
  }

  async #permit(): Promise<void> {
    if (this.#hosts.length === 0) return;
    await this.#allocation?.permit(this.#hosts);
  }

  #again(): void {
    if (this.#options.signal.aborted) return;
    this.#timer = setTimeout(() => void this.#allocate(), this.#pause);
    this.#pause = Math.min(LONGEST_PAUSE, this.#pause * 2);
  }
}
