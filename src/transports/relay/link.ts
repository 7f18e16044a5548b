/** A connection through a server's relay to the other side, before anything on it is secured. */
import type { BeelineError } from '../../base/errors.ts';
import type { Pipe } from '../../secure/pipe.ts';

export interface Link {
  /** Why the relay ended it, where it said so. */
  readonly failure: BeelineError | undefined;
  /** Resolves when it is closed, for whatever reason. */
  readonly gone: Promise<void>;
  destroy(): void;
}

/** A link, and how the two that it links prove themselves to each other. */
export interface Linked<T> {
  link: Link;
  /** Within its own deadline. Destroys the link if it fails. @throws BeelineError */
  secure(signal: AbortSignal): Promise<T>;
}

/**
 * Resolves when the server has paired it with a connection of the other side's; that may take as long as the signal lets it.
 * @param token the seat's, from `hosted` or `joined`
 */
export type Connect<T> = (token: string, signal: AbortSignal) => Promise<Linked<T>>;

export function connector<L extends Link, T>(
  open: (token: string, signal: AbortSignal) => Promise<L>,
  secure: (link: L, signal: AbortSignal) => Promise<T>,
): Connect<T> {
  return async (token, signal) => {
    const link = await open(token, signal);
    return { link, secure: (until) => secure(link, until) };
  };
}

/** What secures a link says only that it has closed: what the relay said of that is put in its place. */
export function withReason(pipe: Pipe, link: Link): Pipe {
  return {
    kind: pipe.kind,
    ...(pipe.relayed && { relayed: true }),
    local: pipe.local,
    remote: pipe.remote,
    write: (bytes, done) => pipe.write(bytes, done),
    start: (data, closed) => pipe.start(data, (error) => closed(link.failure ?? error)),
    pause: () => pipe.pause(),
    resume: () => pipe.resume(),
    destroy: (error) => pipe.destroy(error),
  };
}
