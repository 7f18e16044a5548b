/**
 * A receiver whose disk takes no more waits instead of failing: somebody may make room, raise the quota or plug the
 * drive in again, at 3 a.m. perhaps nobody at once. It looks again by itself, and goes on from what is certain.
 */
import { Alarm } from '../base/clock.ts';
import type { BeelineError } from '../base/errors.ts';
import { STALL_DEADLINE, STALL_LOOK } from '../base/limits.ts';
import type { Sink } from '../sync/ports.ts';
import type { Session } from './session.ts';

/** What may pass: no room, no quota, read-only for now, a drive or a share that is gone. */
const PASSING: ReadonlySet<string> = new Set([
  ...['ENOSPC', 'EDQUOT', 'EROFS'],
  ...['EIO', 'ENOENT', 'ENXIO', 'ENODEV', 'ESTALE', 'ENOTCONN', 'ETIMEDOUT'],
]);

export class Stall {
  readonly #session: Session;
  readonly #looks: Alarm;
  #began = false;

  constructor(session: Session) {
    this.#session = session;
    this.#looks = new Alarm(session.clock);
    session.cleanup.push(() => this.#looks.clear());
    // The end of the pause, by whoever, ends the looking too: a later pause is another one.
    session.watch((from, to) => {
      if (from === 'paused' && to === 'transferring') this.#looks.clear();
    });
  }

  /** Whether the disk has failed before. */
  get began(): boolean {
    return this.#began;
  }

  /** True if the session holds now, and pulls again once the sink can write. */
  begin(error: BeelineError, sink: Sink | undefined): boolean {
    if (!sink?.ready || !passing(error) || this.#session.over) return false;
    this.#began = true;
    // A person's pause is theirs to end. A pause of this stall's own is being looked after already.
    if (this.#session.state !== 'transferring') return true;
    this.#looks.clear();
    this.#session.pause(error);
    this.#look(sink, this.#session.clock.now(), error);
    return true;
  }

  #look(sink: Sink, since: number, error: BeelineError): void {
    this.#looks.set(STALL_LOOK, async () => {
      if (this.#session.over) return;
      const ready = await sink.ready?.().catch(() => false);
      // Without a lane there is nothing to resume yet, and the pause stands when one is there again.
      if (ready && this.#session.state === 'paused') return this.#session.resume();
      if (this.#session.clock.now() - since > STALL_DEADLINE) this.#session.fail(error);
      else this.#look(sink, since, error);
    });
  }
}

function passing(error: BeelineError): boolean {
  for (let cause: unknown = error.cause, depth = 0; cause instanceof Error && depth < 5; depth++) {
    if ('code' in cause && PASSING.has(String(cause.code))) return true;
    cause = cause.cause;
  }
  return error.code === 'DISK_FULL';
}
