/** Waits that end: by a deadline, or because somebody has had enough. */
import { BeelineError } from '../base/errors.ts';

/** A signal that aborts with `late` after `ms`, or with INTERRUPTED when the outer one does; `done` frees its timer. */
export function deadlineScope(
  ms: number,
  late: BeelineError,
  outer: AbortSignal | undefined,
): { signal: AbortSignal; done(): void } {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(late), ms);
  const stop = () =>
    controller.abort(
      outer?.reason instanceof BeelineError
        ? outer.reason
        : new BeelineError('INTERRUPTED', 'Stopped while meeting the other side.', { cause: outer?.reason }),
    );
  outer?.addEventListener('abort', stop);
  if (outer?.aborted) stop();
  return {
    signal: controller.signal,
    done() {
      clearTimeout(timer);
      outer?.removeEventListener('abort', stop);
    },
  };
}
