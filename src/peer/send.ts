/** `send`: prepares the source, hosts the meeting, and serves whoever proves to know the secret. */

import { FileSource } from '../files/source.ts';
import { stdinSource } from '../files/stream-source.ts';
import { textSource } from '../files/text-source.ts';
import { walk } from '../files/walk.ts';
import { makeCertificate } from '../identity/certificate.ts';
import { formatCode, generatePassword, parseCode } from '../identity/code.ts';
import { fromCode, type SharedSecret } from '../identity/secret.ts';
import { versionKey } from '../identity/version-key.ts';
import { toHex } from '../protocol/bytes.ts';
import { BeelineError } from '../protocol/errors.ts';
import { HANDSHAKE_DEADLINE, MIN_CHUNK } from '../protocol/limits.ts';
import type { Mailbox } from '../rendezvous/mailbox.ts';
import type { Outcome } from '../transfer/engine-ports.ts';
import type { Source } from '../transfer/ports.ts';
import { Sender } from '../transfer/sender.ts';
import { chooseChunkSize } from '../transfer/space.ts';
import type { SendOptions, Transfer, What } from './api.ts';
import { auditAtEnd, count } from './audit.ts';
import { Deferred } from './deferred.ts';
import { failedHandshake, incomplete } from './endings.ts';
import { Handshake } from './handshake.ts';
import { host } from './host.ts';
import { openNetwork } from './network/open.ts';
import { losePatience } from './patience.ts';
import { AGENT, platform } from './platform.ts';
import { Progress } from './progress.ts';
import { keepReceipt } from './receipts.ts';
import { secretFrom } from './secret.ts';
import { Session } from './session.ts';

/**
 * Sends files, folders, a stream or a text to one receiver.
 *
 * @param what paths; `['-']` for `options.stdin` (default `process.stdin`); or `{ text }`
 * @returns a running transfer: iterate it for events, or await its `done`.
 * Errors arrive there: USAGE, NO_SUCH_PATH, UNREADABLE, WRONG_CODE, NO_PATH, REFUSED, CANCELLED, and the rest of ErrorCode.
 */
export function send(what: What, options: SendOptions = {}): Transfer {
  const session = new Session({ ...options, role: 'sender' });
  run(session, what, options).catch((thrown) => session.fail(thrown));
  return session;
}

async function run(session: Session, what: What, options: SendOptions): Promise<void> {
  const skipped: string[] = [];
  const warn = (path: string, error: BeelineError) => {
    skipped.push(path);
    session.events.emit({ event: 'warning', code: error.code, message: error.message, path });
  };
  session.dispatch('start');
  const [known, source, certificate] = await Promise.all([
    secretFrom(options),
    openSource(what, options, warn),
    makeCertificate(),
  ]);
  session.cleanup.push(() => source.close());
  if (session.over) return;
  const chunkSize = source.kind === 'files' ? chooseChunkSize(source.length ?? 0) : MIN_CHUNK;
  const vanished: string[] = [];
  const engine = new Sender(source, chunkSize, {
    ...platform,
    limit: options.limit,
    sha256: options.sha256 ?? false,
    update: options.update ?? false,
    progress: (bytes, extents) => progress.moved(bytes, extents),
    gone: (path, error) => {
      vanished.push(path);
      warn(path, error);
    },
    resumed: (bytes) => progress.start(bytes),
    kept: (bytes) => progress.kept(bytes),
    confirmed: () => session.farewell.heard(),
    // Both have the same; the receiver is given time to hear it.
    complete: (outcome) =>
      session.farewell.wait(() => void complete(outcome).catch((thrown) => session.fail(thrown))),
    fail: (error) => session.fail(error),
  });
  session.engine = engine;
  const progress = new Progress(session, source.entries, () => engine.space.bytes);
  const bytes = source.length ?? null;
  session.events.emit({ event: 'manifest', ...count(source.entries), bytes, chunkSize });
  const network = openNetwork(session, 'sender', certificate, options, () => told?.update());
  losePatience(session, engine);

  const password = known ? undefined : await generatePassword();
  const plate = known?.secret.nameplate;
  const ready = new Deferred<Handshake>();
  let told: Handshake | undefined;
  let mailbox: Mailbox | undefined;
  let patience: NodeJS.Timeout | undefined;
  const hosted = await host(session, options, certificate, plate, {
    onWelcome: () => network.welcome(),
    onMessage: (body) => ready.whenReady((handshake) => handshake.receive(body)),
    onPeer: (present) => {
      clearTimeout(patience);
      if (!present) return session.dispatch('peer-left');
      session.dispatch('peer-found');
      // Somebody who takes the place and says nothing must not keep the right one out.
      patience = setTimeout(() => mailbox?.drop(), HANDSHAKE_DEADLINE);
      ready.whenReady((handshake) => handshake.peerAppeared());
    },
    // In turn with the messages: the last one may say why the other side left.
    onLost: (error) => ready.whenReady(() => failedHandshake(session, error)),
  });
  session.cleanup.push(() => clearTimeout(patience));
  if (session.over) return;
  mailbox = hosted.mailbox;
  network.start(hosted.port);
  // One in this process cannot be lost.
  if (options.server !== undefined) network.meet(mailbox, options.server);
  const secret: SharedSecret =
    known?.secret ?? fromCode({ nameplate: mailbox.nameplate, password: password! });
  const handshake = new Handshake({
    role: 'sender',
    secret,
    hello: () => ({
      fingerprint: certificate.fingerprint,
      ...network.hello(),
      agent: AGENT,
      lanes: options.lanes ?? 0,
    }),
    send: (body) => mailbox?.send(body),
    onHello: (hello) => {
      clearTimeout(patience);
      if (session.peerProven(hello, known?.device)) network.peer(hello, []);
    },
    onFail: (error) => failedHandshake(session, error),
  });
  told = handshake;
  ready.resolve(handshake);
  auditAtEnd(session, 'sender', () => ({
    peer: session.peer.fingerprint,
    ...count(source.entries),
    bytes: progress.bytes,
  }));
  session.events.emit({ event: 'listening', port: hosted.port });
  if (secret.way === 'code') {
    const code = known ? parseCode(options.code!) : { nameplate: secret.nameplate, password: password! };
    session.events.emit({ event: 'code', code: formatCode(code) });
  }
  const warming = setTimeout(() => handshake.warmUp());
  session.cleanup.push(() => clearTimeout(warming));

  /** The receiver has everything: both sides tell their people. */
  async function complete(outcome: Outcome): Promise<void> {
    session.farewell.say();
    if (options.sha256) {
      for (const [entry, sha256] of await source.digests()) {
        session.events.emit({ event: 'digest', path: source.entries[entry]!.path, sha256 });
      }
    }
    if (vanished.length > 0) return session.fail(incomplete(vanished), 'both');
    const { fingerprint } = session.peer;
    const receipt = await keepReceipt(session, options.receipt, {
      kind: source.kind,
      entries: source.entries,
      space: engine.space,
      outcome,
      sender: known?.own ?? certificate.fingerprint,
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

async function openSource(
  what: What,
  options: SendOptions,
  warn: (path: string, error: BeelineError) => void,
): Promise<Source> {
  if (!Array.isArray(what)) return textSource((what as { text: string }).text);
  const paths = what as readonly string[];
  if (paths.length === 0) throw new BeelineError('USAGE', 'Nothing to send: name at least one path.');
  if (paths.includes('-')) {
    if (paths.length > 1)
      throw new BeelineError('USAGE', "'-' (standard input) cannot be sent together with paths.");
    const stream = options.stdin ?? process.stdin;
    return stdinSource(stream, options.stdinName ?? 'stdin', {
      chunkSize: MIN_CHUNK,
      sha256: options.sha256,
    });
  }
  const onUnreadable = options.onUnreadable ?? 'fail';
  const key = await versionKey(options.configDir);
  return new FileSource(await walk(paths, { onUnreadable, onSkip: warn, versionKey: key }));
}
