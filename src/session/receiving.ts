/** The receiver's part of a session: it finds the sender, proves the secret, has somebody asked, and pulls. */
import { toHex } from '../base/bytes.ts';
import { Alarm, sleep } from '../base/clock.ts';
import { BeelineError, type ErrorCode, fault } from '../base/errors.ts';
import { HANDSHAKE_DEADLINE } from '../base/limits.ts';
import { escapeName } from '../base/printable.ts';
import { Slices, type Steps } from '../base/slices.ts';
import type { Mailbox } from '../meeting/ports.ts';
import type { Entry, OfferHeader } from '../offer/manifest.ts';
import { checkingEntries } from '../offer/names.ts';
import type { Offer } from '../offer/offer.ts';
import type { ByteSpace } from '../offer/space.ts';
import type { Outcome } from '../sync/engine-ports.ts';
import type { Sink } from '../sync/ports.ts';
import { Receiver } from '../sync/receiver.ts';
import type { OfferSummary, TransferOptions } from './api.ts';
import { auditAtEnd, count } from './audit.ts';
import { Deferred } from './deferred.ts';
import { failedHandshake, incomplete } from './endings.ts';
import { Handshake } from './handshake.ts';
import type { Known } from './known.ts';
import { losePatience } from './patience.ts';
import type { Keep, MeetingEvents, NetworkPort, Platform } from './ports.ts';
import { Progress } from './progress.ts';
import type { Session } from './session.ts';
import { Stall } from './stall.ts';
import { untilEnd } from './until-end.ts';

export interface Receiving {
  options: Pick<TransferOptions, 'lanes' | 'limit' | 'sha256' | 'signal'>;
  platform: Platform;
  known: () => Promise<Known>;
  /** Whose rules names must follow. */
  names: 'posix' | 'windows';
  /** Joins the sender under a nameplate. Ends with the signal. */
  meet: (nameplate: string, signal: AbortSignal, on: MeetingEvents) => Promise<Mailbox>;
  /** Called once after that. @param tellPeer the hello says something else than before */
  connect: (mailbox: Mailbox, tellPeer: () => void) => Promise<NetworkPort>;
  /** Has somebody asked, and makes what takes the bytes; undefined if it is declined. */
  sink: (offer: OfferHeader, summary: OfferSummary) => Promise<Sink | undefined>;
  keep: Keep;
}

/** Top-level names that a question shows. */
const NAMED = 20;
/** Times that the sender may come or go before it is proven, each with a deadline of its own. */
const MOST_TURNS = 16;
/** Ends after which nothing is kept. */
const GIVEN_UP: ReadonlySet<ErrorCode> = new Set(['CANCELLED', 'REFUSED', 'VERIFICATION']);

export class Reception {
  readonly #session: Session;
  readonly #receiving: Receiving;
  readonly #engine: Receiver;
  readonly #gone: string[] = [];
  readonly #stall: Stall;
  /** Bytes that were here before this run. */
  #before = 0;
  #entries: readonly Entry[] = [];
  #sink: Sink | undefined;
  /** Bytes of the files that the sink wants, which that settles when it is opened. */
  #wanted = 0;
  #progress: Progress | undefined;
  #space: ByteSpace | undefined;
  #kind: OfferHeader['kind'] = 'files';
  #sha256 = false;
  /** This side, as the other sees it. */
  #self = '';

  constructor(session: Session, receiving: Receiving) {
    this.#session = session;
    this.#receiving = receiving;
    this.#stall = new Stall(session);
    this.#engine = new Receiver({
      ...receiving.platform,
      limit: receiving.options.limit,
      open: (header, offer) => this.#open(header, offer),
      progress: (bytes, extents) => this.#progress?.moved(bytes, extents),
      gone: (path, code) => this.#lost(path, code),
      resumed: (bytes) => this.#resumed(bytes),
      kept: (bytes) => this.#progress?.kept(bytes),
      stalled: (error) => this.#stall.begin(error, this.#sink),
      complete: (outcome) => void this.#complete(outcome).catch((thrown) => session.fail(thrown)),
      fail: (error) => session.fail(error),
    });
    session.engine = this.#engine;
  }

  /** Runs until the sender has been met; what follows is the session's. */
  async run(): Promise<void> {
    const { options, platform, known: knownLater, meet, connect } = this.#receiving;
    const session = this.#session;
    if (!session.begin()) return;
    const known = await knownLater();
    const signal = untilEnd(session, options.signal);

    const ready = new Deferred<Handshake>();
    let told: Handshake | undefined;
    const patience = new Alarm(platform.clock);
    session.cleanup.push(() => patience.clear());
    let turns = 0;
    const expect = (present: boolean) => {
      // A rendezvous that lets the sender come and go for ever makes no wait longer.
      if (++turns > MOST_TURNS) return;
      const error = present
        ? new BeelineError('TIMEOUT', 'The sender is there but does not answer.')
        : fault('SENDER_LEFT');
      patience.set(HANDSHAKE_DEADLINE, () => session.fail(error));
    };
    const mailbox = await meet(known.secret.nameplate, signal, {
      onMessage: (body) => ready.whenReady((handshake) => handshake.receive(body)),
      onPeer: (present) => {
        if (!session.proven) expect(present);
        if (!present) return session.dispatch('peer-left');
        session.dispatch('peer-found');
        ready.whenReady((handshake) => handshake.peerAppeared());
      },
      onServer: (error) => session.server(error),
      // In turn with the messages: the last one may say why the sender left.
      onLost: (error) => ready.whenReady(() => failedHandshake(session, error)),
    });
    session.cleanup.push(() => mailbox.close());
    if (session.over) return void mailbox.close();
    const network = await connect(mailbox, () => told?.update());
    losePatience(session, this.#engine);
    if (session.over) return;
    this.#self = known.own ?? network.hello().fingerprint;
    // Unless it is known to be away.
    if (turns === 0) expect(true);
    const handshake = new Handshake({
      role: 'receiver',
      secret: known.secret,
      pake: platform.pake,
      hello: () => ({ ...network.hello(), agent: platform.agent, lanes: options.lanes ?? 0 }),
      send: (body) => mailbox.send(body),
      onHello: (hello) => {
        patience.clear();
        if (session.peerProven(hello, known.device)) network.peer(hello);
      },
      onWord: (word) => session.hear(word),
      onFail: (error) => failedHandshake(session, error),
    });
    told = handshake;
    session.say = (word) => handshake.say(word);
    ready.resolve(handshake);
    auditAtEnd(session, 'receiver', () => ({
      peer: session.peer.fingerprint,
      ...count(this.#entries),
      bytes: this.#progress?.bytes ?? 0,
    }));
  }

  /** Checks every name before anything is written, asks whoever decides, and opens the sink. */
  async #open(header: OfferHeader, offer: Offer): Promise<Sink> {
    const { kind, entries, space } = offer;
    const session = this.#session;
    const { clock } = this.#receiving.platform;
    const slices = new Slices(clock, async () => {
      await sleep(clock, 0);
      if (session.over) throw new BeelineError('CANCELLED', 'The transfer ended before it was accepted.');
    });
    await slices.run(checkingEntries(entries, { platform: this.#receiving.names }));
    this.#entries = entries;
    this.#space = space;
    this.#kind = kind;
    this.#sha256 = this.#receiving.options.sha256 || header.sha256;
    const bytes = header.bytes ?? null;
    const { chunkSize } = space;
    session.events.emit({ event: 'manifest', kind, ...count(entries), bytes, chunkSize });
    const summary = await slices.run(this.#summary(header, entries));
    const sink = await this.#receiving.sink(header, summary);
    // The other side may have left while the person was thinking: nothing is begun then.
    if (session.over) throw new BeelineError('CANCELLED', 'The transfer ended before it was accepted.');
    if (!sink) throw new BeelineError('REFUSED', 'Declined here. Nothing was written.');
    session.cleanup.push(() => this.#leave(sink));
    await sink.open(entries, space);
    if (session.over) throw new BeelineError('CANCELLED', 'The transfer ended before anything was written.');
    this.#sink = sink;
    for (const [index, entry] of entries.entries()) {
      if (slices.over()) await slices.next();
      if (sink.wants(index)) this.#wanted += entry.size;
    }
    this.#progress = new Progress(session, entries, () => this.#wantedBytes());
    this.#progress.accepted();
    return sink;
  }

  *#summary(offer: OfferHeader, entries: readonly Entry[]): Steps<OfferSummary> {
    const top: Entry[] = [];
    for (const entry of entries) {
      yield;
      if (!entry.path.includes('/')) top.push(entry);
      if (top.length === NAMED) break;
    }
    const names = top.map((entry) => escapeName(entry.path) + (entry.kind === 'folder' ? '/' : ''));
    return {
      ...count(entries),
      bytes: offer.bytes ?? null,
      kind: offer.kind,
      update: offer.update,
      names,
      peer: this.#session.peer,
    };
  }

  #resumed(bytes: number): void {
    // Said again after a failing disk, when part of what is here is this run's own work.
    if (!this.#stall.began) this.#before = bytes;
    if (bytes > 0 && !this.#stall.began) this.#session.events.emit({ event: 'resumed', bytes });
    this.#progress?.start(Math.min(bytes, this.#before));
  }

  /** What has arrived is kept for another run, unless it must not be, or is whole. */
  async #leave(sink: Sink): Promise<void> {
    const { failure } = this.#session;
    await sink.close(failure && !GIVEN_UP.has(failure.code) ? 'keep' : 'discard');
  }

  #wantedBytes(): number | undefined {
    if (this.#space?.stream) return this.#space.bytes;
    return this.#wanted;
  }

  /** The sender's own words are for its own screen: what is shown here is composed here. */
  #lost(path: string, code: string): void {
    this.#gone.push(path);
    const unreadable = code === 'UNREADABLE';
    const what = unreadable ? 'could not be read' : 'changed while it was being sent';
    this.#warn(
      path,
      unreadable ? code : 'SOURCE_CHANGED',
      `'${escapeName(path)}' ${what} on the other side.`,
    );
  }

  #warn(path: string, code: ErrorCode, message: string): void {
    this.#session.events.emit({ event: 'warning', code, message, ...(path && { path }) });
  }

  async #complete(outcome: Outcome): Promise<void> {
    const session = this.#session;
    session.agreed();
    if (this.#sha256 && this.#sink) {
      for (const [entry, sha256] of await this.#sink.digests()) {
        session.events.emit({ event: 'digest', path: this.#entries[entry]!.path, sha256 });
      }
    }
    if (this.#gone.length > 0) return session.fail(incomplete(this.#gone), 'both');
    await this.#sink?.close('done');
    const { fingerprint } = session.peer;
    const receipt = await this.#receiving.keep({
      kind: this.#kind,
      entries: this.#entries,
      space: this.#space!,
      outcome,
      sender: fingerprint,
      receiver: this.#self,
    });
    session.complete({
      files: this.#entries.filter((entry, i) => entry.kind === 'file' && this.#sink?.wants(i)).length,
      bytes: this.#progress?.bytes ?? 0,
      resumed: this.#progress?.resumed ?? 0,
      seconds: this.#progress?.seconds ?? 0,
      root: toHex(outcome.root),
      peer: fingerprint,
      skipped: this.#sink?.leftOut?.() ?? [],
      ...(receipt !== undefined && { receipt }),
    });
  }
}
