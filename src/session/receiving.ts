/** The receiver's part: it finds the sender, proves the secret, has somebody asked, and pulls. */
import { toHex } from '../base/bytes.ts';
import { sleep } from '../base/clock.ts';
import { BeelineError, type ErrorCode, fault } from '../base/errors.ts';
import { escapeName } from '../base/printable.ts';
import { CHEAP_STEPS, Slices, type Steps } from '../base/slices.ts';
import type { SharedSecret } from '../identity/secret.ts';
import type { Mailbox } from '../meeting/ports.ts';
import type { Entry, OfferHeader } from '../offer/manifest.ts';
import { checkingEntries } from '../offer/names.ts';
import type { Offer } from '../offer/offer.ts';
import type { Outcome, ReceiverPorts } from '../sync/engine-ports.ts';
import type { Peer } from '../sync/peer.ts';
import type { Sink } from '../sync/ports.ts';
import { Receiver } from '../sync/receiver.ts';
import type { OfferSummary, TransferOptions } from './api.ts';
import { auditAtEnd } from './audit.ts';
import { count, shownName } from './contents.ts';
import { Guesses } from './guesses.ts';
import { Lobby } from './lobby.ts';
import { Neighbours } from './neighbours.ts';
import type { Keep, Known, MeetingEvents, NetworkPort, NetworkUser, Platform } from './ports.ts';
import { Progress } from './progress.ts';
import type { Session } from './session.ts';
import { Stall } from './stall.ts';
import type { Running } from './transfer.ts';
import { incomplete } from './verdict.ts';

export interface Receiving {
  options: Pick<TransferOptions, 'limit' | 'sha256' | 'list' | 'relay'> & { share?: boolean };
  platform: Platform;
  known: () => Promise<Known>;
  /** The public key, in hex, under which the sender may remember this side. Undefined: it may not. */
  device?: () => Promise<string | undefined>;
  /** 32 hex digits that are the same when this receive is started again. They tell nothing else. */
  place?: (secret: SharedSecret) => Promise<string>;
  /** Whose rules names must follow. */
  names: 'posix' | 'windows';
  /** Joins the sender under a nameplate. Ends with the signal. */
  meet: (nameplate: string, signal: AbortSignal, on: MeetingEvents) => Promise<Mailbox>;
  /** This side's ways to the session's peer; called once, after that. */
  connect: (mailbox: Mailbox) => Promise<NetworkPort>;
  /** This side's ways to one other receiver, without relays. Absent: there are none. */
  link?: (user: NetworkUser, mailbox: Mailbox) => Promise<NetworkPort>;
  /** Has somebody asked, and makes what takes the bytes; undefined if it is declined. */
  sink: (offer: OfferHeader, summary: OfferSummary) => Promise<Sink | undefined>;
  keep: Keep;
}

/** What of that is not about finding the sender. */
type ReceptionParts = Pick<Receiving, 'options' | 'platform' | 'names' | 'sink' | 'keep'>;

/** Top-level names that a question shows. */
const NAMED = 20;
/** Ends after which nothing is kept. */
const GIVEN_UP: ReadonlySet<ErrorCode> = new Set(['CANCELLED', 'REFUSED', 'VERIFICATION']);

/** What there is once somebody said yes. */
interface Accepted {
  readonly offer: Offer;
  readonly sink: Sink;
  readonly progress: Progress;
  /** Each file's own hash is shown at the end. */
  readonly sha256: boolean;
  /** Files that the sink wants. */
  readonly files: number;
}

/** Runs until the sender has been met; what follows is the session's. */
export async function receiveFrom(transfer: Running, receiving: Receiving): Promise<void> {
  const { session } = transfer;
  if (!transfer.begin()) return;
  const { clock, pake, hashes } = receiving.platform;
  // Its hello says it, and nobody waits for it yet.
  session.cleanup.push(clock.after(0, () => hashes()));
  const known = await receiving.known();
  const lobby = new Lobby({
    ...{ role: 'receiver', clock, pake, guesses: new Guesses(1), session, log: transfer.log },
    emit: (event) => transfer.events.emit(event),
    seat: () => session,
    strangers: () => {},
    failed: (error) => session.failUnlessProven(error),
    lost: (error) => session.failUnlessProven(error),
  });
  const [mailbox, place, device] = await Promise.all([
    receiving.meet(known.secret.nameplate, transfer.signal, lobby.events),
    receiving.place?.(known.secret),
    receiving.device?.(),
  ]);
  transfer.cleanup.push(() => mailbox.close());
  transfer.cleanup.push(() => lobby.close());
  if (session.over) return;
  const network = await receiving.connect(mailbox);
  session.cleanup.push(() => network.close());
  if (session.over) return;
  const { link } = receiving;
  const reception = new ReceivingSide(session, receiving, link && ((user) => link(user, mailbox)));
  const { neighbours } = reception;
  transfer.cleanup.push(() => neighbours?.end());
  transfer.afterwards = {
    run() {
      const serving = neighbours?.serve();
      // Whoever is served is known already.
      if (serving) mailbox.close();
      return serving;
    },
    stop: () => neighbours?.end(),
  };
  auditAtEnd(transfer, () => reception.facts);
  const { engine } = reception;
  session.open({
    ...{ engine, network, known },
    ...(place !== undefined && { place }),
    ...(device !== undefined && { device }),
  });
  lobby.open(mailbox, known);
}

/** What a session does around the engine that receives. */
export class ReceivingSide {
  readonly engine: Peer;
  /** Undefined: this side does not share. */
  readonly neighbours: Neighbours | undefined;
  readonly #session: Session;
  readonly #receiving: ReceptionParts;
  readonly #gone: string[] = [];
  readonly #stall: Stall;
  /** What is offered, as soon as it is known to be sound. */
  #entries: readonly Entry[] = [];
  #accepted: Accepted | undefined;
  /** Bytes that were here before this run, and the most that there were at a time. */
  #before = 0;
  #most = 0;
  /** What arrived is whole, and put where it belongs. */
  #placed = false;

  constructor(
    session: Session,
    receiving: ReceptionParts,
    connect?: (user: NetworkUser) => Promise<NetworkPort>,
    Engine: new (ports: ReceiverPorts) => Peer = Receiver,
  ) {
    this.#session = session;
    this.#receiving = receiving;
    this.#stall = new Stall(session);
    const { limit, relay, share = true } = receiving.options;
    const { clock, log, pipes } = session;
    // Others would learn this machine's addresses.
    const shares = connect && share && relay !== 'only';
    this.neighbours = shares
      ? new Neighbours({
          ...{ clock, log, pipes, connect },
          helper: (ports) =>
            (this.engine as Receiver).helper({ ...ports, asks: () => this.#asked(ports.asks) }),
          emit: (event) => session.emit(event),
        })
      : undefined;
    this.engine = new Engine({
      ...{ ...receiving.platform, limit },
      meet: this.neighbours?.meet,
      awaits: () => session.awaits(),
      open: (header, offer) => this.#open(header, offer),
      progress: (bytes, extents) => {
        if (bytes > this.#most) session.goesOn();
        this.#most = Math.max(bytes, this.#most);
        this.#accepted?.progress.moved(bytes, extents);
      },
      gone: (path, code) => this.#lost(path, code),
      resumed: (bytes) => this.#resumed(bytes),
      kept: (bytes) => this.#accepted?.progress.kept(bytes),
      stalled: (error) => this.#stall.begin(error, this.#accepted?.sink),
      complete: (outcome) => void this.#complete(outcome).catch((thrown) => session.fail(thrown)),
      fail: (error) => session.fail(error),
    });
  }

  /** For the log. */
  get facts(): object {
    return { ...count(this.#entries), bytes: this.#accepted?.progress.bytes ?? 0 };
  }

  /** Checks every name before anything is written, asks whoever decides, and opens the sink. */
  async #open(header: OfferHeader, offer: Offer): Promise<Sink> {
    const { kind, entries, space, pages } = offer;
    const session = this.#session;
    const { names, options, sink: ask } = this.#receiving;
    // The other side may have left while the person was thinking: nothing is begun then.
    const stands = () => {
      if (session.over)
        throw new BeelineError('CANCELLED', 'The transfer ended before anything was written.');
    };
    const slices = new Slices(session.clock, async () => {
      await sleep(session.clock, 0);
      stands();
    });
    await slices.run(checkingEntries(entries, { platform: names }));
    this.#entries = entries;
    const bytes = header.bytes ?? null;
    session.emit({ event: 'manifest', kind, ...count(entries), bytes, chunkSize: space.chunkSize });
    const sink = await ask(header, await slices.run(this.#summary(header, entries)));
    stands();
    if (!sink) throw fault('DECLINED_HERE');
    session.cleanup.push(() => this.#leave(sink));
    await sink.open(entries, space, offer.hash, pages);
    stands();
    let [files, wanted] = [0, 0];
    for (const [index, entry] of entries.entries()) {
      if (index % CHEAP_STEPS === 0 && slices.over()) await slices.next();
      if (!sink.wants(index)) continue;
      if (entry.kind === 'file') files++;
      wanted += entry.size;
    }
    const ticks = sink.placed ? () => sink.placed!() : 'moved';
    const progress = new Progress(
      session,
      entries,
      () => (space.stream ? space.bytes : wanted),
      kind === 'files' ? ticks : undefined,
    );
    progress.accepted();
    this.#accepted = { offer, sink, progress, files, sha256: options.sha256 || header.sha256 };
    return sink;
  }

  *#summary(offer: OfferHeader, entries: readonly Entry[]): Steps<OfferSummary> {
    const top: Entry[] = [];
    const sums = new Map<string, number>();
    for (const [index, entry] of entries.entries()) {
      if (index % CHEAP_STEPS === 0) yield;
      const [name] = entry.path.split('/', 1);
      sums.set(name!, (sums.get(name!) ?? 0) + entry.size);
      if (name === entry.path && top.length < NAMED) top.push(entry);
    }
    const names = top.map(shownName);
    const { kind, update } = offer;
    const { peer } = this.#session;
    const sizes = kind === 'stream' ? undefined : top.map(({ path }) => sums.get(path) ?? 0);
    return {
      ...{ ...count(entries), bytes: offer.bytes ?? null, kind, update, names, tops: sums.size, peer },
      ...(sizes && { sizes }),
    };
  }

  #asked(tell: () => void): void {
    this.#session.gives();
    tell();
  }

  #resumed(bytes: number): void {
    // After a failure of the disk this comes again, and part of what is here came in this run.
    if (!this.#stall.began) this.#before = bytes;
    if (bytes > 0 && !this.#stall.began) this.#session.emit({ event: 'resumed', bytes });
    this.#accepted?.progress.start(Math.min(bytes, this.#before));
  }

  /** What has arrived is kept for another run, unless it must not be, or is whole. */
  async #leave(sink: Sink): Promise<void> {
    // It may still be read, for others.
    if (this.#placed) return;
    const { failure } = this.#session;
    await sink.close(failure && !GIVEN_UP.has(failure.code) ? 'keep' : 'discard');
  }

  /** The sender's own text is not shown here: this side makes its own sentence. */
  #lost(path: string, code: string): void {
    this.#gone.push(path);
    const file = escapeName(path);
    const lost = code === 'UNREADABLE' ? 'UNREADABLE_THERE' : 'CHANGED_THERE';
    this.#session.warn(fault(lost, { file }), path);
  }

  async #list(): Promise<void> {
    const { offer, sink } = this.#accepted!;
    // A text is shown, and one to standard output has no place.
    if (!sink.nameOf) return;
    const slices = new Slices(this.#session.clock);
    for (const [index, { kind, path, size }] of offer.entries.entries()) {
      if (index % CHEAP_STEPS === 0 && slices.over()) await slices.next();
      if (kind !== 'file' || !sink.wants(index)) continue;
      const as = sink.nameOf(index);
      this.#session.emit({ event: 'placed', path, size, ...(as !== path && { as }) });
    }
  }

  async #complete(outcome: Outcome): Promise<void> {
    const session = this.#session;
    const { offer, sink, progress, files, sha256: shown } = this.#accepted!;
    const { kind, entries, space } = offer;
    session.agreed();
    if (shown) {
      for (const [entry, sha256] of await sink.digests())
        session.emit({ event: 'digest', path: entries[entry]!.path, sha256 });
    }
    if (this.#gone.length > 0) return session.fail(incomplete(this.#gone), 'both');
    await sink.close('done');
    this.#placed = true;
    if (this.#receiving.options.list) await this.#list();
    const sender = session.peer.fingerprint;
    const { root, hash, started, ended } = outcome;
    const { hash: by } = offer;
    const receivers = [{ fingerprint: session.own, root: toHex(root), started, ended }];
    const receipt = await this.#receiving.keep({ kind, entries, space, root, by, hash, sender, receivers });
    const { bytes, resumed, seconds } = progress;
    session.complete({
      ...{ files, bytes, resumed, seconds },
      root: toHex(root),
      peer: sender,
      skipped: sink.leftOut?.() ?? [],
      ...(receipt !== undefined && { receipt }),
    });
  }
}
