/** The sender's part of a session: it waits to be met, and serves whoever proves to know the secret. */

import { toHex } from '../base/bytes.ts';
import { Alarm } from '../base/clock.ts';
import type { BeelineError } from '../base/errors.ts';
import { HANDSHAKE_DEADLINE, MIN_CHUNK } from '../base/limits.ts';
import { formatCode, generatePassword, parseCode } from '../identity/code.ts';
import { fromCode, type SharedSecret } from '../identity/secret.ts';
import type { Mailbox } from '../meeting/ports.ts';
import { chooseChunkSize } from '../offer/space.ts';
import type { Outcome } from '../sync/engine-ports.ts';
import { Origin } from '../sync/origin.ts';
import type { Source } from '../sync/ports.ts';
import type { TransferOptions } from './api.ts';
import { auditAtEnd, count } from './audit.ts';
import { Deferred } from './deferred.ts';
import { failedHandshake, incomplete } from './endings.ts';
import { Handshake } from './handshake.ts';
import type { Known } from './known.ts';
import { losePatience } from './patience.ts';
import type { Keep, MeetingEvents, NetworkPort, Platform } from './ports.ts';
import { Progress } from './progress.ts';
import type { Session } from './session.ts';

export interface Sending {
  options: Pick<TransferOptions, 'lanes' | 'limit' | 'sha256'> & { code?: string; update?: boolean };
  platform: Platform;
  /** The secret, if there is one already: otherwise a code is made. */
  known: Known | undefined;
  source: Source;
  /** Paths that could not be sent, as they become known. */
  skipped: string[];
  warn: (path: string, error: BeelineError) => void;
  /** @param tellPeer the hello says something else than before */
  connect: (tellPeer: () => void) => NetworkPort;
  /**
   * Takes a nameplate, and is found by it.
   * @param nameplate undefined to have one chosen
   * @returns where lanes and other peers come in, if there is such a port
   */
  host: (nameplate: string | undefined, on: MeetingEvents) => Promise<{ mailbox: Mailbox; port?: number }>;
  keep: Keep;
}

/** Runs until the other side can come; what follows is the session's. */
export async function serve(session: Session, sending: Sending): Promise<void> {
  const { options, platform, known, source, skipped, warn } = sending;
  session.cleanup.push(() => source.close());
  if (session.over) return;
  const chunkSize = source.kind === 'files' ? chooseChunkSize(source.length ?? 0) : MIN_CHUNK;
  const vanished: string[] = [];
  const origin = new Origin(source, chunkSize, {
    ...platform,
    limit: options.limit,
    sha256: options.sha256 ?? false,
    update: options.update ?? false,
    gone: (path, error) => {
      vanished.push(path);
      warn(path, error);
    },
  });
  const engine = origin.peer({
    progress: (bytes, extents) => progress.moved(bytes, extents),
    accepted: () => progress.accepted(),
    resumed: (bytes) => {
      if (bytes === 0) progress.restart();
      progress.start(bytes);
    },
    kept: (bytes) => progress.kept(bytes),
    confirmed: () => session.farewell.heard(),
    // Both have the same; the receiver is given time to hear it.
    complete: (outcome) =>
      session.farewell.wait(() => void complete(outcome).catch((thrown) => session.fail(thrown))),
    fail: (error) => session.fail(error),
  });
  session.engine = engine;
  const progress = new Progress(session, source.entries, () => origin.offer.space.bytes);
  const bytes = source.length ?? null;
  session.events.emit({ event: 'manifest', kind: source.kind, ...count(source.entries), bytes, chunkSize });
  const network = sending.connect(() => told?.update());
  losePatience(session, engine);

  const password = known ? undefined : await generatePassword();
  const ready = new Deferred<Handshake>();
  let told: Handshake | undefined;
  let mailbox: Mailbox | undefined;
  const patience = new Alarm(platform.clock);
  session.cleanup.push(() => patience.clear());
  const hosted = await sending.host(known?.secret.nameplate, {
    onMessage: (body) => ready.whenReady((handshake) => handshake.receive(body)),
    onPeer: (present) => {
      patience.clear();
      if (!present) return session.dispatch('peer-left');
      session.dispatch('peer-found');
      // Somebody who takes the place and says nothing must not keep the right one out.
      patience.set(HANDSHAKE_DEADLINE, () => mailbox?.drop());
      ready.whenReady((handshake) => handshake.peerAppeared());
    },
    onServer: (error) => session.server(error),
    // In turn with the messages: the last one may say why the other side left.
    onLost: (error) => ready.whenReady(() => failedHandshake(session, error)),
  });
  if (session.over) return;
  mailbox = hosted.mailbox;
  const secret: SharedSecret =
    known?.secret ?? fromCode({ nameplate: mailbox.nameplate, password: password! });
  const handshake = new Handshake({
    role: 'sender',
    secret,
    pake: platform.pake,
    hello: () => ({ ...network.hello(), agent: platform.agent, lanes: options.lanes ?? 0 }),
    send: (body) => mailbox?.send(body),
    onHello: (hello) => {
      patience.clear();
      if (session.peerProven(hello, known?.device)) network.peer(hello);
    },
    onWord: (word) => session.hear(word),
    onFail: (error) => {
      if (secret.way === 'code' || session.proven) return failedHandshake(session, error);
      // Nobody guesses a key: whoever failed pays, by its address's joins, and this side waits on for the right one.
      session.log?.warn({ code: error.code }, 'refused on the rendezvous');
      patience.clear();
      mailbox?.drop();
    },
  });
  told = handshake;
  session.say = (word) => handshake.say(word);
  ready.resolve(handshake);
  auditAtEnd(session, 'sender', () => ({
    peer: session.peer.fingerprint,
    ...count(source.entries),
    bytes: progress.bytes,
  }));
  if (hosted.port !== undefined) session.events.emit({ event: 'listening', port: hosted.port });
  if (secret.way === 'code') {
    const code = known ? parseCode(options.code!) : { nameplate: secret.nameplate, password: password! };
    session.events.emit({ event: 'code', code: formatCode(code) });
  }
  session.cleanup.push(platform.clock.after(0, () => handshake.warmUp()));

  /** The receiver has everything: both sides tell their people. */
  async function complete(outcome: Outcome): Promise<void> {
    session.agreed();
    if (options.sha256) {
      for (const [entry, sha256] of await source.digests()) {
        session.events.emit({ event: 'digest', path: source.entries[entry]!.path, sha256 });
      }
    }
    if (vanished.length > 0) return session.fail(incomplete(vanished), 'both');
    const { fingerprint } = session.peer;
    const receipt = await sending.keep({
      kind: source.kind,
      entries: source.entries,
      space: origin.offer.space,
      outcome,
      sender: known?.own ?? network.hello().fingerprint,
      receiver: fingerprint,
    });
    session.complete({
      // What the receiver skipped did not arrive by this.
      files: source.kind === 'files' ? progress.files : 1,
      bytes: progress.bytes,
      resumed: progress.resumed,
      seconds: progress.seconds,
      root: toHex(outcome.root),
      peer: fingerprint,
      skipped,
      ...(receipt !== undefined && { receipt }),
    });
  }
}
