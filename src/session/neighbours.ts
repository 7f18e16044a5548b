/**
 * The links to other receivers. They stay as long as they are of use: while this side fetches, and afterwards until the
 * others have what they want.
 */
import { Alarm, type Clock, every } from '../base/clock.ts';
import { type BeelineError, fault } from '../base/errors.ts';
import { MAX_NEIGHBOURS } from '../base/limits.ts';
import type { Helper, HelperPorts } from '../sync/helper.ts';
import type { Introduction, Neighbour } from '../sync/members.ts';
import type { Logger, TransferEvent } from './api.ts';
import { warningEvent } from './cause.ts';
import type { IncomingPipes } from './incoming.ts';
import { MemberLink } from './neighbour.ts';
import type { NetworkPort, NetworkUser } from './ports.ts';

/** Between looks at what the links carry. */
const LOOK_MS = 1_000;
/** A link with fewer bytes in one direction between two looks carries no chunks: that is what lanes say to each other. */
const CARRIES = 16 * 1024;
/** One that asks for nothing for so long is not waited for, once this side has everything. */
const IDLE_MS = 60_000;
/** One that asks for a little now and then must not keep this process alive for ever. */
const SERVING_MS = 86_400_000;
/** Links at a time: those that are named, and as many that are named no more and still up. */
const MOST = 2 * MAX_NEIGHBOURS;
/** Certificates of those that lied or broke the protocol, of which nothing is wanted any more. */
const MAX_BANNED = 1024;
/** Certificates whose number is remembered. */
const MAX_NUMBERED = 1024;

export interface NeighboursOptions {
  clock: Clock;
  log: Logger | undefined;
  pipes: IncomingPipes;
  connect: (user: NetworkUser) => Promise<NetworkPort>;
  helper: (ports: HelperPorts) => Helper;
  emit: (event: TransferEvent) => void;
}

export class Neighbours {
  readonly #options: NeighboursOptions;
  readonly #links = new Set<MemberLink>();
  /** What links that are over have carried. */
  #past = { received: 0, sent: 0 };
  readonly #seen = new Map<MemberLink, { received: number; sent: number }>();
  readonly #banned = new Set<string>();
  /** By certificate, the numbers in events: a process that is introduced again keeps its own. The longest known comes first. */
  readonly #numbers = new Map<string, number>();
  /** The sender has the first number. */
  #last = 1;
  #told = '';
  #endLooks = () => {};
  #settled: (() => void) | undefined;
  readonly #most: Alarm;
  servesMs = SERVING_MS;

  constructor(options: NeighboursOptions) {
    this.#options = options;
    this.#most = new Alarm(options.clock);
  }

  /** Those with a lane. */
  get up(): number {
    return [...this.#links].filter(({ up }) => up).length;
  }

  readonly meet = (introduction: Introduction): Neighbour => {
    const { clock, log, pipes, connect, helper, emit } = this.#options;
    const link: MemberLink = new MemberLink({
      ...{ introduction, clock, log, pipes, connect, helper, emit },
      number: (fingerprint) => this.#number(fingerprint),
      wanted: (fingerprint) => this.#wanted(fingerprint),
      ended: (error) => this.#ended(link, error),
    });
    this.#links.add(link);
    if (this.#links.size === 1) this.#watch();
    const [oldest] = this.#links;
    if (this.#links.size > MOST) oldest!.end();
    return link;
  };

  /**
   * This side has everything: resolves once nobody wants anything of it any more, and after a day in any case. One that is not
   * connected by now, or asks for nothing for a minute, is not waited for.
   * @returns undefined if there is nobody
   */
  serve(): Promise<void> | undefined {
    for (const link of [...this.#links])
      if (link.content) link.end();
      else link.forget();
    if (this.#links.size === 0) return undefined;
    this.#most.set(this.servesMs, () => this.end());
    return new Promise((resolve) => {
      this.#settled = resolve;
    });
  }

  end(): void {
    for (const link of [...this.#links]) link.end();
    this.#conclude();
  }

  #wanted(fingerprint: string): boolean {
    if (this.#banned.has(fingerprint)) return false;
    const known = [...this.#links].filter(({ pin }) => pin === fingerprint);
    // A fingerprint is no secret: one that names it must not end a link that works.
    if (known.some(({ up }) => up)) return false;
    // The same process, introduced anew: what was known of the way to it is out of date.
    for (const link of known) link.end();
    return true;
  }

  #number(fingerprint: string): number {
    const number = this.#numbers.get(fingerprint) ?? ++this.#last;
    if (fingerprint === '') return number;
    const [oldest] = this.#numbers.keys();
    if (this.#numbers.size >= MAX_NUMBERED && !this.#numbers.has(fingerprint)) this.#numbers.delete(oldest!);
    this.#numbers.set(fingerprint, number);
    return number;
  }

  #misbehaved(link: MemberLink, error: BeelineError): void {
    const told = error.code === 'VERIFICATION' || error.reason === 'MEMBER_SILENT';
    const shown = told ? error : fault('MEMBER_MISBEHAVES', { why: error.message }, { cause: error });
    this.#options.emit(warningEvent(shown, undefined, link.number));
    // One that was never connected may have named the fingerprint of another.
    if (link.proven && this.#banned.size < MAX_BANNED) this.#banned.add(link.pin);
  }

  #ended(link: MemberLink, error: BeelineError | undefined): void {
    this.#links.delete(link);
    this.#seen.delete(link);
    const { received, sent } = link.carried;
    this.#past.received += received;
    this.#past.sent += sent;
    if (error && error.code !== 'NO_PATH') this.#misbehaved(link, error);
    if (this.#links.size === 0) this.#look();
  }

  #watch(): void {
    this.#endLooks();
    this.#endLooks = every(this.#options.clock, LOOK_MS, () => this.#look());
  }

  #look(): void {
    this.#tell();
    if (this.#settled) {
      const now = this.#options.clock.now();
      for (const link of [...this.#links]) if (link.content || now - link.asked > IDLE_MS) link.end();
    }
    if (this.#links.size === 0) this.#conclude();
  }

  #conclude(): void {
    this.#endLooks();
    this.#most.clear();
    this.#settled?.();
  }

  #tell(): void {
    let [from, to] = [0, 0];
    let { received: down, sent: up } = this.#past;
    for (const link of this.#links) {
      const { received, sent } = link.carried;
      const before = this.#seen.get(link) ?? { received: 0, sent: 0 };
      this.#seen.set(link, { received, sent });
      if (received - before.received > CARRIES) from++;
      if (sent - before.sent > CARRIES) to++;
      down += received;
      up += sent;
    }
    const said = `${from} ${to}`;
    // Pings alone are no news.
    if (said === this.#told && from + to === 0) return;
    this.#told = said;
    this.#options.emit({ event: 'swarm', from, to, up, down });
  }
}
