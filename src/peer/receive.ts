/** `receive`: finds the sender, proves the secret, asks the person, and pulls. */
import { StagingSink } from '../files/staging-sink.ts';
import { StdoutSink } from '../files/stdout-sink.ts';
import { TextSink } from '../files/text-sink.ts';
import { makeCertificate } from '../identity/certificate.ts';
import { toHex } from '../protocol/bytes.ts';
import { BeelineError, type ErrorCode } from '../protocol/errors.ts';
import { HANDSHAKE_DEADLINE } from '../protocol/limits.ts';
import type { Entry, Offer } from '../protocol/manifest.ts';
import { checkEntries, escapeName } from '../protocol/names.ts';
import type { Mailbox } from '../rendezvous/mailbox.ts';
import type { Outcome } from '../transfer/engine-ports.ts';
import type { Sink } from '../transfer/ports.ts';
import { Receiver } from '../transfer/receiver.ts';
import type { ByteSpace } from '../transfer/space.ts';
import type { OfferSummary, ReceiveOptions, Transfer } from './api.ts';
import { auditAtEnd, count } from './audit.ts';
import { Deferred } from './deferred.ts';
import { failedHandshake, incomplete } from './endings.ts';
import { Handshake } from './handshake.ts';
import { openPort } from './host.ts';
import { meetAsGuest } from './meet.ts';
import { openNetwork } from './network/open.ts';
import { losePatience } from './patience.ts';
import { AGENT, platform } from './platform.ts';
import { Progress } from './progress.ts';
import { keepReceipt } from './receipts.ts';
import { secretFrom } from './secret.ts';
import { Session } from './session.ts';
import { Stall } from './stall.ts';

/**
 * Receives what a sender offers under `options.code` (or `psk`, or `device`).
 *
 * @returns a running transfer: iterate it for events, or await its `done`.
 * Errors arrive there: USAGE, WRONG_CODE, NO_PEER, CROWDED, NO_PATH, EXISTS, UNSAFE_NAME, DISK_FULL, REFUSED,
 * VERIFICATION, CANCELLED, and the rest of ErrorCode.
 */
export function receive(options: ReceiveOptions): Transfer {
  const session = new Session({ ...options, role: 'receiver' });
  new Reception(session, options).run().catch((thrown) => session.fail(thrown));
  return session;
}

/** Ends after which nothing is kept. */
const GIVEN_UP: ReadonlySet<ErrorCode> = new Set(['CANCELLED', 'REFUSED', 'VERIFICATION']);

class Reception {
  readonly #session: Session;
  readonly #options: ReceiveOptions;
  readonly #engine: Receiver;
  readonly #gone: string[] = [];
  readonly #stall: Stall;
  /** Bytes that were here before this run. */
  #before = 0;
  #entries: readonly Entry[] = [];
  #sink: Sink | undefined;
  #progress: Progress | undefined;
  #space: ByteSpace | undefined;
  #kind: Offer['kind'] = 'files';
  #sha256 = false;
  /** This side, as the other sees it. */
  #self = '';

  constructor(session: Session, options: ReceiveOptions) {
    this.#session = session;
    this.#options = options;
    this.#stall = new Stall(session);
    this.#engine = new Receiver({
      ...platform,
      limit: options.limit,
      open: (offer, entries, space) => this.#open(offer, entries, space),
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

  async run(): Promise<void> {
    const { lan = true, ...rest } = this.#options;
    const options = { ...rest, lan };
    const session = this.#session;
    session.dispatch('start');
    const known = await secretFrom(options);
    if (!known) throw new BeelineError('USAGE', 'A code is needed: the sender shows it.');
    const ending = new AbortController();
    session.cleanup.push(() => ending.abort());
    const signal = options.signal ? AbortSignal.any([options.signal, ending.signal]) : ending.signal;

    const ready = new Deferred<Handshake>();
    let told: Handshake | undefined;
    let mailbox: Mailbox | undefined;
    let patience: NodeJS.Timeout | undefined;
    session.cleanup.push(() => clearTimeout(patience));
    const meeting = meetAsGuest(known.secret.nameplate, options, signal, {
      onMessage: (body) => ready.whenReady((handshake) => handshake.receive(body)),
      onPeer: (present) => {
        if (!present) return session.dispatch('peer-left');
        session.dispatch('peer-found');
        ready.whenReady((handshake) => handshake.peerAppeared());
      },
      // In turn with the messages: the last one may say why the sender left.
      onLost: (error) => ready.whenReady(() => failedHandshake(session, error)),
    });
    // The certificate is made while the sender is being looked for.
    const [met, certificate] = await Promise.all([meeting, makeCertificate()]);
    mailbox = met.mailbox;
    session.cleanup.push(() => mailbox?.close());
    if (session.over) return void mailbox.close();
    this.#self = known.own ?? certificate.fingerprint;
    const network = openNetwork(session, 'receiver', certificate, options, () => told?.update());
    losePatience(session, this.#engine);
    const listener = await openPort(session, { ...options, port: options.port }, certificate, undefined);
    if (session.over) return;
    network.start(listener.port);
    network.meet(mailbox, options.server);
    patience = setTimeout(
      () => session.fail(new BeelineError('TIMEOUT', 'The sender is there but does not answer.')),
      HANDSHAKE_DEADLINE,
    );
    const handshake = new Handshake({
      role: 'receiver',
      secret: known.secret,
      hello: () => ({
        fingerprint: certificate.fingerprint,
        ...network.hello(),
        agent: AGENT,
        lanes: options.lanes ?? 0,
      }),
      send: (body) => mailbox?.send(body),
      onHello: (hello) => {
        clearTimeout(patience);
        if (session.peerProven(hello, known.device)) network.peer(hello, met.addresses);
      },
      onFail: (error) => failedHandshake(session, error),
    });
    told = handshake;
    ready.resolve(handshake);
    auditAtEnd(session, 'receiver', () => ({
      peer: session.peer.fingerprint,
      ...count(this.#entries),
      bytes: this.#progress?.bytes ?? 0,
    }));
  }

  /** Checks every name before anything is written, asks whoever decides, and opens the sink. */
  async #open(offer: Offer, entries: readonly Entry[], space: ByteSpace): Promise<Sink> {
    const session = this.#session;
    checkEntries(entries, { platform: process.platform === 'win32' ? 'windows' : 'posix' });
    this.#entries = entries;
    this.#space = space;
    this.#kind = offer.kind;
    this.#sha256 = this.#options.sha256 || offer.sha256;
    const bytes = offer.bytes ?? null;
    session.events.emit({ event: 'manifest', ...count(entries), bytes, chunkSize: offer.chunkSize });
    const accepted = await this.#options.accept?.(this.#summary(offer, entries));
    // The other side may have left while the person was thinking: nothing is begun then.
    if (session.over) throw new BeelineError('CANCELLED', 'The transfer ended before it was accepted.');
    if (accepted === false) throw new BeelineError('REFUSED', 'Declined here. Nothing was written.');
    const sink = this.#makeSink(offer);
    session.cleanup.push(() => this.#leave(sink));
    await sink.open(entries, space);
    if (session.over) throw new BeelineError('CANCELLED', 'The transfer ended before anything was written.');
    this.#sink = sink;
    this.#progress = new Progress(session, entries, () => this.#wantedBytes());
    return sink;
  }

  #summary(offer: Offer, entries: readonly Entry[]): OfferSummary {
    const top = entries.filter((entry) => !entry.path.includes('/')).slice(0, 20);
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

  #makeSink(offer: Offer): Sink {
    const { to = '.', stdout = process.stdout, overwrite = 'ask', onConflict } = this.#options;
    if (offer.kind === 'text')
      return new TextSink((text) => this.#session.events.emit({ event: 'text', text }));
    if (to === '-') return new StdoutSink(stdout, { sha256: this.#sha256 });
    return new StagingSink({
      to,
      overwrite,
      onConflict,
      onWarning: (warning) => this.#warn(warning.paths[0] ?? '', warning.code, warning.message),
    });
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
    if (failure && sink.suspend && !GIVEN_UP.has(failure.code)) await sink.suspend();
    else await sink.abort();
  }

  #wantedBytes(): number | undefined {
    if (this.#space?.stream) return this.#space.bytes;
    return this.#entries.reduce((sum, entry, i) => sum + (this.#sink?.wants(i) ? entry.size : 0), 0);
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
    session.farewell.say();
    if (this.#sha256 && this.#sink) {
      for (const [entry, sha256] of await this.#sink.digests()) {
        session.events.emit({ event: 'digest', path: this.#entries[entry]!.path, sha256 });
      }
    }
    if (this.#gone.length > 0) return session.fail(incomplete(this.#gone), 'both');
    await this.#sink?.settle?.();
    const { fingerprint } = session.peer;
    const receipt = await keepReceipt(session, this.#options.receipt, {
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
      skipped: [],
      ...(receipt !== undefined && { receipt }),
    });
  }
}
