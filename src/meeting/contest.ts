/**
 * A guest's mailbox where several may say that they are its host: everybody can announce a nameplate in the DHT. The guest talks with
 * all of them side by side, each under a number of its own, until its owner says which one has proved the secret. Each that is talked
 * with may guess the secret once, so there are not many of them.
 */
import { Alarm, realClock, sleep, withDeadline } from '../base/clock.ts';
import { asBeelineError, type BeelineError } from '../base/errors.ts';
import { NO_SERVICES, type Services } from '../wire/rendezvous.ts';
import { keepMailbox } from './keeper.ts';
import type { Dial, Mailbox, MailboxOptions } from './ports.ts';

/** One who says that it is the host. */
export interface Claimant {
  readonly id: string;
  readonly dial: Dial;
}

export interface ContestOptions extends MailboxOptions {
  /** Where one host is found at most, as on the local network: number 0. What it ends with is final. */
  first?: ((options: MailboxOptions) => Promise<Mailbox>) | undefined;
  /** One round of looking, which is repeated. @throws BeelineError where nobody can be looked for that way */
  look: (found: (claimant: Claimant) => void, signal: AbortSignal) => Promise<void>;
  /** Nobody was met in time. */
  nobody: () => BeelineError;
}

/** Claimants that are dialled or talked with at the same time, and in all. */
const SIDE_BY_SIDE = 8;
const MOST_TRIED = 512;
/** Claimants that are heard: each may be a guess at the secret. */
const MOST_HEARD = 16;
/** What the dials of one may cost together, in different rounds. Where nobody is there a dial is over at once. */
const MOST_COST = 12;
const DIAL_COST = 4;
const NOBODY_COST = 1;
/** For one that announces the nameplate to be reached. */
const ANNOUNCED_MS = 45_000;
/** To be reached: through two hard NATs that takes many guesses. And from then until it has proved itself. */
const DIAL_MS = 30_000;
const PROOF_MS = 15_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 4_000;

interface Way {
  readonly id: string;
  readonly end: AbortController;
  readonly alarm: Alarm;
  mailbox: Mailbox | undefined;
  heard: boolean;
}

/** Resolves when anybody is met. @throws BeelineError as `openMailbox`, and what `nobody` gives */
export async function openContest(options: ContestOptions): Promise<Mailbox> {
  const contest = new Contest(options);
  await contest.open();
  return contest;
}

class Contest implements Mailbox {
  readonly nameplate: string;
  readonly services: Services = NO_SERVICES;
  readonly guests = 0;
  readonly #options: ContestOptions;
  readonly #end = new AbortController();
  /** Ends the search. */
  readonly #search = new AbortController();
  /** By number: 0 is the first way. */
  readonly #ways = new Map<number, Way>();
  /** What the dials of each have cost. */
  readonly #costs = new Map<string, number>();
  readonly #queue: Claimant[] = [];
  #numbers = 0;
  #heard = 0;
  /** A round is under way. */
  #looking = true;
  #winner: number | undefined;
  /** Why one was not the host, if any was heard. */
  #wrong: BeelineError | undefined;
  /** What the first way, and the search, ended with. */
  #failures: { first?: BeelineError; search?: BeelineError } = {};
  #opened: () => void = () => {};
  #failed: (error: BeelineError) => void = () => {};

  constructor(options: ContestOptions) {
    this.#options = options;
    this.nameplate = options.nameplate!;
  }

  get token(): string {
    return this.#won?.token ?? '';
  }

  get #won(): Mailbox | undefined {
    return this.#winner === undefined ? undefined : this.#ways.get(this.#winner)?.mailbox;
  }

  async open(): Promise<void> {
    const { deadline, signal, nobody, first } = this.#options;
    const met = () =>
      new Promise<void>((resolve, reject) => {
        this.#opened = resolve;
        this.#failed = reject;
        if (first) void this.#first(first);
        void this.#rounds();
      });
    const stopped = () => asBeelineError(signal?.reason, 'INTERRUPTED');
    const late = () => this.#failures.first ?? nobody();
    // Somebody who announces the nameplate may be behind a NAT that takes several tries.
    const nobodyYet = realClock.after(deadline, () => {
      if (this.#costs.size === 0) this.#failed(late());
    });
    const most = Math.max(deadline, ANNOUNCED_MS);
    await withDeadline(realClock, signal, most, late, met, stopped)
      .finally(nobodyYet)
      .catch((error) => {
        this.close();
        throw error;
      });
    signal?.addEventListener('abort', () => this.close(), { once: true, signal: this.#end.signal });
  }

  send(body: string, host = 0): void {
    this.#ways.get(host)?.mailbox?.send(body);
  }

  drop(host: number): void {
    this.#leave(host);
    this.#next();
  }

  /** This one has proved the secret: all others are left. */
  keep(host: number): void {
    const way = this.#ways.get(host);
    if (!way || this.#winner !== undefined) return;
    this.#winner = host;
    way.alarm.clear();
    this.#search.abort();
    this.#queue.length = 0;
    for (const other of [...this.#ways.keys()]) if (other !== host) this.#leave(other);
  }

  /** This one is not the host. @returns whether others are tried; `onLost` follows if none of them is either */
  wrong(host: number, error: BeelineError): boolean {
    if (host === 0) return false;
    const way = this.#ways.get(host);
    if (!way) return true;
    this.#wrong ??= error;
    this.#costs.set(way.id, MOST_COST);
    this.drop(host);
    this.#tellIfNone();
    return true;
  }

  reconnect(): void {
    for (const { mailbox } of this.#ways.values()) mailbox?.reconnect();
  }

  close(): void {
    if (this.#end.signal.aborted) return;
    this.#end.abort();
    this.#search.abort();
    for (const host of [...this.#ways.keys()]) this.#leave(host);
  }

  async #first(open: NonNullable<ContestOptions['first']>): Promise<void> {
    const way = this.#way('', 0);
    try {
      const mailbox = await open({ ...this.#toTell(0, way), deadline: this.#options.deadline });
      this.#met(0, way, mailbox);
    } catch (thrown) {
      const error = asBeelineError(thrown);
      this.#ways.delete(0);
      if (this.#over(way)) return;
      // That nobody is there yet may change; the search goes on, if there is one.
      if (error.code !== 'NO_PEER' && error.code !== 'TIMEOUT') return this.#failed(error);
      this.#failures.first = error;
      if (this.#failures.search) this.#failed(error);
    }
  }

  /** Looks again and again, until somebody has proved to be the host. */
  async #rounds(): Promise<void> {
    const { signal } = this.#search;
    try {
      for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
        this.#looking = true;
        await this.#options.look((claimant) => this.#found(claimant), signal);
        this.#looking = false;
        this.#tellIfNone();
        await sleep(realClock, pause, signal);
      }
    } catch (thrown) {
      if (signal.aborted) return;
      this.#failures.search = asBeelineError(thrown);
      if (!this.#options.first || this.#failures.first)
        this.#failed(this.#failures.first ?? this.#failures.search);
    }
  }

  #found(claimant: Claimant): void {
    const { id } = claimant;
    if (this.#search.signal.aborted || this.#heard >= MOST_HEARD) return;
    if (!this.#costs.has(id) && this.#costs.size + this.#queue.length >= MOST_TRIED) return;
    if ((this.#costs.get(id) ?? 0) >= MOST_COST) return;
    const busy = [...this.#ways.values()].some((way) => way.id === id);
    if (busy || this.#queue.some((queued) => queued.id === id)) return;
    this.#queue.push(claimant);
    this.#next();
  }

  #next(): void {
    if (this.#heard >= MOST_HEARD) this.#queue.length = 0;
    while (this.#ways.size < SIDE_BY_SIDE && this.#queue.length > 0) void this.#try(this.#queue.shift()!);
  }

  async #try({ id, dial }: Claimant): Promise<void> {
    const cost = this.#costs.get(id) ?? 0;
    this.#costs.set(id, cost + DIAL_COST);
    const number = ++this.#numbers;
    const way = this.#way(id, number);
    way.alarm.set(DIAL_MS, () => this.drop(number));
    const dialOnce: Dial = async (...how) => {
      try {
        return await dial(...how);
      } catch (thrown) {
        // A record of somebody who has gone: it keeps nobody else waiting.
        if (!way.mailbox && asBeelineError(thrown).code === 'NO_PEER') {
          this.#costs.set(id, cost + NOBODY_COST);
          this.drop(number);
        }
        throw thrown;
      }
    };
    try {
      const mailbox = await keepMailbox(dialOnce, { ...this.#toTell(number, way), deadline: DIAL_MS });
      if (!this.#over(way) && this.#winner !== number) way.alarm.set(PROOF_MS, () => this.drop(number));
      this.#met(number, way, mailbox);
    } catch {
      this.drop(number);
    }
  }

  #way(id: string, number: number): Way {
    const way: Way = {
      ...{ id, end: new AbortController(), alarm: new Alarm(realClock) },
      ...{ mailbox: undefined, heard: false },
    };
    this.#ways.set(number, way);
    return way;
  }

  #met(number: number, way: Way, mailbox: Mailbox): void {
    if (this.#over(way)) return mailbox.close();
    way.mailbox = mailbox;
    // Whoever is on this network is the one that is meant: nobody else is looked for.
    if (number === 0) this.#search.abort();
    this.#opened();
  }

  #over(way: Way): boolean {
    return way.end.signal.aborted;
  }

  #toTell(number: number, way: Way): MailboxOptions {
    const { onMessage, onPeer, onServer, onLost, nameplate, keepFor } = this.#options;
    const alone = () => this.#winner === number;
    return {
      ...{ role: 'guest', nameplate, keepFor, waitForHost: true, signal: way.end.signal },
      deadline: PROOF_MS,
      onMessage: (body) => {
        if (this.#admits(number, way)) onMessage(body, number);
      },
      onPeer: (present) => onPeer(present, number),
      onServer: (error) => {
        if (alone()) onServer?.(error);
      },
      onLost: (error) => {
        if (alone() || number === 0) onLost(error);
        else this.drop(number);
      },
    };
  }

  /** Whether what a host says is heard. */
  #admits(number: number, way: Way): boolean {
    if (number === 0 || way.heard) return true;
    if (this.#heard >= MOST_HEARD) {
      this.drop(number);
      return false;
    }
    this.#heard++;
    way.heard = true;
    return true;
  }

  #leave(number: number): void {
    const way = this.#ways.get(number);
    if (!way) return;
    this.#ways.delete(number);
    way.alarm.clear();
    way.mailbox?.close();
    way.end.abort();
  }

  /** All who announce the nameplate have been tried, and those who were heard are not the host. */
  #tellIfNone(): void {
    const busy = this.#looking || this.#ways.size > (this.#ways.has(0) ? 1 : 0) || this.#queue.length > 0;
    if (this.#winner !== undefined || busy || !this.#wrong) return;
    this.#search.abort();
    this.#options.onLost(this.#wrong);
  }
}
