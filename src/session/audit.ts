/** One line for each transfer in the log: who, what, how much, and how it ended. Never a code, key or file content. */
import type { Logger } from './api.ts';
import type { Session, SessionEnd } from './session.ts';
import type { Running } from './transfer.ts';

/** Logs the line when the transfer ends, whichever way. */
export function auditAtEnd({ log, done, session }: Running, facts: () => object): void {
  done.then(
    (result) => audit(log, session, facts(), { result }),
    (error) => audit(log, session, facts(), { error }),
  );
}

/** Logs the line of one session that has ended. */
export function audit(
  log: Logger | undefined,
  { role, peer }: Session,
  facts: object,
  end: SessionEnd,
): void {
  const ended =
    'result' in end
      ? { result: 'done', root: end.result.root, seconds: end.result.seconds }
      : { result: 'failed', code: end.error.code };
  log?.info({ audit: true, role, peer: peer.fingerprint, ...facts, ...ended }, 'transfer');
}
