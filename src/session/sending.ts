/** The sender's part: it makes an offer, waits to be met, and serves whoever proves to know the secret. */

import { toHex } from '../base/bytes.ts';
import type { BeelineError } from '../base/errors.ts';
import { MIN_CHUNK } from '../base/limits.ts';
import { formatCode, generatePassword, parseCode } from '../identity/code.ts';
import { fromCode } from '../identity/secret.ts';
import type { Mailbox } from '../meeting/ports.ts';
import { chooseChunkSize } from '../offer/space.ts';
import type { Outcome } from '../sync/engine-ports.ts';
import { Origin } from '../sync/origin.ts';
import type { Peer } from '../sync/peer.ts';
import type { Source } from '../sync/ports.ts';
import type { TransferOptions } from './api.ts';
import { auditAtEnd, count } from './audit.ts';
import type { Keep, Known, MeetingEvents, NetworkPort, Platform } from './ports.ts';
import { Progress } from './progress.ts';
import type { Session } from './session.ts';
import type { Running } from './transfer.ts';
import { incomplete } from './verdict.ts';

export interface Sending {
  options: Pick<TransferOptions, 'limit' | 'sha256'> & { code?: string; update?: boolean; swarm?: boolean };
  platform: Platform;
  /** The secret, if there is one already: otherwise a code is made. */
  known: Known | undefined;
  source: Source;
  /** Paths that could not be sent, as they become known. */
  skipped: string[];
  warn: (path: string, error: BeelineError) => void;
  /** This side's ways to the session's peer. */
  connect: (session: Session) => NetworkPort;
  /**
   * Takes a nameplate, and is found by it.
   * @param nameplate undefined to have one chosen
   * @returns where lanes and other peers come in, if there is such a port
   */
  host: (nameplate: string | undefined, on: MeetingEvents) => Promise<{ mailbox: Mailbox; port?: number }>;
  keep: Keep;
}

/** Runs until the other side can come; what follows is the session's. */
export async function serve(transfer: Running, sending: Sending): Promise<void> {
  const { options, platform, known: given, source } = sending;
  const { session } = transfer;
  transfer.cleanup.push(() => source.close());
  if (transfer.over) return;
  const { kind, entries } = source;
  const chunkSize = kind === 'files' ? chooseChunkSize(source.length ?? 0) : MIN_CHUNK;
  const bytes = source.length ?? null;
  transfer.events.emit({ event: 'manifest', kind, ...count(entries), bytes, chunkSize });
  const network = sending.connect(session);
  // After the mailbox: a newcomer must not come to a session that is over.
  transfer.cleanup.push(() => network.close());
  const vanished: string[] = [];
  const origin = new Origin(source, chunkSize, {
    ...platform,
    limit: options.limit,
    sha256: options.sha256 ?? false,
    update: options.update ?? false,
    swarm: options.swarm === false ? undefined : platform,
    gone: (path, error) => {
      vanished.push(path);
      sending.warn(path, error);
    },
  });
  const { engine, progress } = receiverOf(transfer, sending, origin, vanished);

  const password = given ? undefined : await generatePassword();
  const { mailbox, port } = await sending.host(given?.secret.nameplate, session.meeting);
  const made = () => ({ secret: fromCode({ nameplate: mailbox.nameplate, password: password! }) });
  const known = given ?? made();
  session.open({ engine, network, mailbox, known });
  if (session.over) return;
  auditAtEnd(transfer, () => ({ ...count(entries), bytes: progress.bytes }));
  if (port !== undefined) transfer.events.emit({ event: 'listening', port });
  if (known.secret.way !== 'code') return;
  const { nameplate } = known.secret;
  const code = given ? parseCode(options.code!) : { nameplate, password: password! };
  transfer.events.emit({ event: 'code', code: formatCode(code) });
}

/** One receiver of the offer: its engine, its progress, and what follows when both have the same. */
function receiverOf(
  { session }: Running,
  { options, source, skipped, keep }: Sending,
  origin: Origin,
  vanished: readonly string[],
): { engine: Peer; progress: Progress } {
  const progress = new Progress(session, source.entries, () => origin.offer.space.bytes);
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
  async function complete(outcome: Outcome): Promise<void> {
    session.agreed();
    if (options.sha256) {
      for (const [entry, sha256] of await source.digests())
        session.emit({ event: 'digest', path: source.entries[entry]!.path, sha256 });
    }
    if (vanished.length > 0) return session.fail(incomplete(vanished), 'both');
    const { kind, entries } = source;
    const { space } = origin.offer;
    const receiver = session.peer.fingerprint;
    const receipt = await keep({ kind, entries, space, outcome, sender: session.own, receiver });
    const { files, bytes, resumed, seconds } = progress;
    session.complete({
      // What the receiver skipped did not arrive by this.
      files: kind === 'files' ? files : 1,
      ...{ bytes, resumed, seconds, skipped },
      root: toHex(outcome.root),
      peer: receiver,
      ...(receipt !== undefined && { receipt }),
    });
  }

  return { engine, progress };
}
