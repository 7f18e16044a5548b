/** The sender's part: it makes an offer, waits to be met, and serves whoever proves to know the secret. */

import { toHex } from '../base/bytes.ts';
import { type Clock, every } from '../base/clock.ts';
import { type BeelineError, fault } from '../base/errors.ts';
import { MIN_CHUNK } from '../base/limits.ts';
import { formatCode, generatePassword, parseCode } from '../identity/code.ts';
import { fromCode } from '../identity/secret.ts';
import type { Mailbox } from '../meeting/ports.ts';
import { COMMON_HASH } from '../offer/hashing.ts';
import { chooseChunkSize } from '../offer/space.ts';
import type { Outcome } from '../sync/engine-ports.ts';
import { Origin } from '../sync/origin.ts';
import type { Peer } from '../sync/peer.ts';
import type { Source } from '../sync/ports.ts';
import type { TransferOptions } from './api.ts';
import { audit } from './audit.ts';
import { warningEvent } from './cause.ts';
import { count } from './contents.ts';
import type { Keep, Known, MeetingEvents, NetworkPort, Platform } from './ports.ts';
import { Progress } from './progress.ts';
import { type Group, type Moved, Receivers } from './receivers.ts';
import { Recipients } from './recipients.ts';
import type { Session, SessionEnd } from './session.ts';
import type { Running } from './transfer.ts';
import { incomplete } from './verdict.ts';

export interface Sending {
  options: Pick<TransferOptions, 'limit' | 'sha256'> & {
    code?: string;
    update?: boolean;
    swarm?: boolean;
    receivers?: number | 'any';
    until?: number;
  };
  platform: Platform;
  /** The secrets, if there are some already: otherwise a code is made. With several, one receiver comes by each. */
  known: readonly Known[];
  /** The public key, in hex, under which a single receiver may remember this side. Absent: none may. */
  device?: string | undefined;
  source: Source;
  /** Paths that could not be sent, as they become known. */
  skipped: string[];
  warn: (path: string, error: BeelineError) => void;
  /**
   * Takes a nameplate, and is found by it.
   * @param nameplate undefined to have one chosen
   * @param guests how many may be there at a time
   */
  host: (nameplate: string | undefined, on: MeetingEvents, guests: number) => Promise<Hosted>;
  keep: Keep;
  /** Opens a link to the offer. `had` is to be called for each who has had all of it by that. */
  link?: (had: (who: LinkReceiver) => void) => Promise<void>;
}

/** Seconds since it began, and bytes of all files. */
export interface LinkReceiver {
  address: string;
  bytes: number;
  seconds: number;
}

/** A nameplate that this side has. */
export interface Hosted {
  mailbox: Mailbox;
  /** Where lanes and other peers come in, if there is such a port. */
  port?: number;
  /** This side's ways to the peer of a session. */
  connect: (session: Session) => NetworkPort;
}

/** In a code. One for several receivers has more, since it survives more wrong guesses. */
const WORDS_OF_ONE = 2;
export const WORDS_OF_SEVERAL = 3;
/** Strangers that are let in beside those who are wanted, while they prove themselves. */
const STRANGERS = 16;
/** Guests at a time where any number is wanted; a server may let in fewer. */
const MOST_GUESTS = 64;

/** Between two `swarm` events. */
const TELL_MS = 1_000;

/** Runs until the other side can come; what follows is the session's. */
export async function serve(transfer: Running, sending: Sending): Promise<void> {
  const { options, platform, known: given, source } = sending;
  transfer.cleanup.push(() => source.close());
  if (transfer.over) return;
  const { kind, entries } = source;
  const chunkSize = kind === 'files' ? chooseChunkSize(source.length ?? 0) : MIN_CHUNK;
  const bytes = source.length ?? null;
  transfer.events.emit({ event: 'manifest', kind, ...count(entries), bytes, chunkSize });
  const wanted = options.receivers === 'any' ? Number.POSITIVE_INFINITY : (options.receivers ?? 1);
  const offering = new Offering(
    transfer,
    sending,
    chunkSize,
    given.length > 1 || wanted > 1 || sending.link !== undefined,
  );
  const secrets = given.length > 0 ? given : [undefined];
  // All at once: one must not end the whole before the next is waited for.
  const groups = secrets.map((known) => offering.group(known, secrets.length > 1 ? 1 : wanted));
  for (const [index, group] of groups.entries()) {
    if (transfer.ends) return;
    await offering.host(group, secrets[index]);
  }
  await sending.link?.((who) => offering.byLink(who));
  if (options.until !== undefined && !transfer.over)
    transfer.cleanup.push(platform.clock.after(1000 * options.until, () => timeUp(transfer)));
}

function timeUp(transfer: Running): void {
  const goesOn = transfer.several && [...transfer.sessions].some(({ proven, over }) => proven && !over);
  if (goesOn) transfer.events.emit(warningEvent(fault('TIME_UP')));
  transfer.admitNoMore();
}

/** One offer, and all who receive it. */
class Offering {
  readonly #transfer: Running;
  readonly #sending: Sending;
  readonly #origin: Origin;
  readonly #vanished: string[] = [];
  readonly #receivers: Receivers;
  readonly #hosted = new Map<Group, { hosted: Hosted; known: Known }>();
  readonly #progress = new Map<Session, Progress>();
  readonly #recipients: Recipients;
  /** Each file's own hash has been shown. */
  #digested = false;

  constructor(transfer: Running, sending: Sending, chunkSize: number, several: boolean) {
    const { options, platform, source, known } = sending;
    const byCode = known.length === 0 || known.some(({ secret }) => secret.way === 'code');
    this.#transfer = transfer;
    this.#sending = sending;
    this.#origin = new Origin(source, chunkSize, {
      ...platform,
      // Whoever has the code may come with a page.
      ...(several && byCode && { hashes: () => [COMMON_HASH], computes: [COMMON_HASH] }),
      limit: options.limit,
      sha256: options.sha256 ?? false,
      update: options.update ?? false,
      swarm: options.swarm === false ? undefined : platform,
      gone: (path, error) => {
        this.#vanished.push(path);
        sending.warn(path, error);
      },
    });
    this.#recipients = new Recipients(platform.clock, this.#origin.offer);
    this.#receivers = new Receivers(transfer, several, {
      platform,
      joinable: () => this.#origin.joinable,
      open: (session, group) => this.#open(session, group),
      moved: (session) => this.#moved(this.#progress.get(session)),
      ended: (session, end) => this.#ended(session, end),
      keep: () => this.#keep(),
    });
    if (several) this.#countAll(platform.clock);
  }

  byLink({ address, bytes, seconds }: LinkReceiver): void {
    const { source, skipped } = this.#sending;
    const { files } = count(source.entries);
    this.#transfer.events.emit({ event: 'downloaded', address, bytes, seconds });
    this.#receivers.byLink(address, { files, bytes, resumed: 0, seconds, root: '', peer: '', skipped });
  }

  group(given: Known | undefined, most: number): Group {
    return this.#receivers.group(most, given?.secret.way ?? 'code', given?.device?.name);
  }

  /** Waits under one more secret from now on. @param given undefined: under a code that is made here */
  async host(group: Group, given: Known | undefined): Promise<void> {
    const transfer = this.#transfer;
    const { options, host } = this.#sending;
    const { most } = group;
    const password = given ? '' : await generatePassword(most > 1 ? WORDS_OF_SEVERAL : WORDS_OF_ONE);
    const guests = most === 1 ? 1 : Math.min(MOST_GUESTS, most + STRANGERS);
    const hosted = await host(given?.secret.nameplate, group.lobby.events, guests);
    const { mailbox, port } = hosted;
    const known = given ?? { secret: fromCode({ nameplate: mailbox.nameplate, password }) };
    this.#hosted.set(group, { hosted, known });
    if (transfer.over) return;
    if (group.spare) this.#open(group.spare, group);
    group.lobby.open(mailbox, known);
    if (transfer.over) return;
    if (port !== undefined && this.#hosted.size === 1) transfer.events.emit({ event: 'listening', port });
    if (known.secret.way !== 'code') return;
    const { nameplate } = known.secret;
    const code = given ? parseCode(options.code!) : { nameplate, password };
    transfer.events.emit({ event: 'code', code: formatCode(code) });
  }

  #ended(session: Session, end: SessionEnd): Moved {
    const moved = this.#moved('result' in end ? end.result : this.#progress.get(session));
    const facts = { ...count(this.#sending.source.entries), bytes: moved.bytes };
    if (this.#progress.delete(session)) audit(this.#transfer.log, session, facts, end);
    return moved;
  }

  #moved({ bytes = 0, resumed = 0, seconds = 0 }: Partial<Moved> = {}): Moved {
    return { bytes, resumed, seconds };
  }

  async #keep(): Promise<{ receipt?: string; root?: string }> {
    const facts = await this.#recipients.facts();
    if (!facts) return {};
    const receipt = await this.#sending.keep(facts);
    return { root: toHex(facts.root), ...(receipt !== undefined && { receipt }) };
  }

  /** Says once a second what has gone out to all together. */
  #countAll(clock: Clock): void {
    const { events, sessions, cleanup } = this.#transfer;
    let told = 0;
    const tell = () => {
      const up = this.#origin.sent;
      let to = 0;
      for (const { connected } of sessions) if (connected) to++;
      if (up === told && to === 0) return;
      told = up;
      events.emit({ event: 'swarm', from: 0, to, up, down: 0 });
    };
    cleanup.push(every(clock, TELL_MS, tell));
    // The last event has the whole sum.
    cleanup.push(tell);
  }

  #open(session: Session, group: Group): void {
    const at = this.#hosted.get(group);
    if (!at || session.over) return;
    const network = at.hosted.connect(session);
    session.cleanup.push(() => network.close());
    const { engine, progress } = this.#receiver(session);
    this.#progress.set(session, progress);
    const { device } = this.#sending;
    const single = device !== undefined && !this.#transfer.several;
    session.open({ engine, network, known: at.known, ...(single && { device }) });
  }

  /** One receiver of the offer: its engine, its progress, and what follows when both have the same. */
  #receiver(session: Session): { engine: Peer; progress: Progress } {
    const { options, source, skipped } = this.#sending;
    const origin = this.#origin;
    const vanished = this.#vanished;
    const progress = new Progress(
      session,
      source.entries,
      () => origin.offer.space.bytes,
      // Of several receivers nobody is shown each file.
      source.kind === 'files' && !this.#transfer.several ? 'moved' : undefined,
    );
    const engine = origin.peer({
      awaits: () => session.awaits(),
      progress: (bytes, extents) => progress.moved(bytes, extents),
      accepted: () => progress.accepted(),
      resumed: (bytes) => {
        if (bytes === 0) progress.restart();
        progress.start(bytes);
      },
      kept: (bytes) => progress.kept(bytes),
      confirmed: () => session.confirmation.heard(),
      // Both have the same; the receiver is given time to hear it.
      complete: (outcome) =>
        session.confirmation.wait(() => void complete(outcome).catch((thrown) => session.fail(thrown))),
      fail: (error) => session.fail(error),
    });

    /** The receiver has everything: both sides tell their people. */
    const complete = async (outcome: Outcome): Promise<void> => {
      session.agreed();
      if (options.sha256 && !this.#digested) {
        this.#digested = true;
        for (const [entry, sha256] of await source.digests())
          session.emit({ event: 'digest', path: source.entries[entry]!.path, sha256 });
      }
      if (vanished.length > 0) return session.fail(incomplete(vanished), 'both');
      const peer = session.peer.fingerprint;
      await this.#recipients.add(session.own, peer, outcome);
      const { files, bytes, resumed, seconds } = progress;
      session.complete({
        // Files that the receiver skipped did not arrive by this transfer.
        files: source.kind === 'files' ? files : 1,
        ...{ bytes, resumed, seconds, skipped },
        root: toHex(outcome.root),
        peer,
      });
    };

    return { engine, progress };
  }
}
