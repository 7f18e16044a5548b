/** The receiver's end of relayed lanes: dialled at the server, like any other path. */
import { setMaxListeners } from 'node:events';
import type { SecureContext } from 'node:tls';
import { asBeelineError, BeelineError } from '../../protocol/errors.ts';
import { LANE_OPEN_DEADLINE } from '../../protocol/limits.ts';
import { RELAY_PATH } from '../../protocol/rendezvous.ts';
import { authorityOf, serviceUrl } from '../../websocket/url.ts';
import type { Path } from '../path.ts';
import type { Pipe } from '../pipe.ts';
import { tlsClient } from '../tls/over.ts';
import { relayStream } from './connect.ts';
import type { RelayStream } from './stream.ts';

/** Lanes at once: one TCP connection through a relay is slow only where the way to it loses packets. */
const MOST = 4;

export interface RelayPathOptions {
  /** As for `--server`. */
  url: string;
  /** The present one; undefined while this side has no place at the server. */
  token: () => string | undefined;
  context: SecureContext;
  /** Hex SHA-256 of the sender's certificate. */
  pin: () => string;
}

export class RelayPath implements Path {
  readonly kind = 'relay';
  readonly name: string;
  readonly most = MOST;
  readonly #options: RelayPathOptions;

  /** @throws BeelineError USAGE for a malformed URL */
  constructor(options: RelayPathOptions) {
    this.#options = options;
    this.name = authorityOf(serviceUrl(options.url, RELAY_PATH));
  }

  async open(signal: AbortSignal): Promise<Pipe> {
    const { url, token, context, pin } = this.#options;
    const shown = token();
    if (!shown) throw new BeelineError('NO_PATH', 'This side has no place at the server at the moment.');
    // One deadline for all of it; the steps below know only that they are to stop.
    const scope = new AbortController();
    setMaxListeners(0, scope.signal);
    const stop = (why: BeelineError) => () => scope.abort(why);
    const late = new BeelineError('TIMEOUT', 'The sender did not come to the relay in time.');
    const timer = setTimeout(stop(late), LANE_OPEN_DEADLINE);
    const outer = stop(new BeelineError('NO_PATH', 'Another path was faster.'));
    signal.addEventListener('abort', outer);
    if (signal.aborted) outer();
    try {
      const stream = await relayStream(url, shown, scope.signal);
      const { local, remote } = stream;
      const over = { kind: this.kind, local, remote, context, signal: scope.signal } as const;
      return withReason(await tlsClient(stream, over, pin()), stream);
    } catch (thrown) {
      if (scope.signal.aborted) throw scope.signal.reason;
      const error = asBeelineError(thrown, 'NO_PATH');
      const kept = error.code === 'AUTHENTICATION' || error.code === 'TIMEOUT' || error.code === 'NO_PATH';
      throw kept ? error : new BeelineError('NO_PATH', error.message, { cause: error });
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', outer);
    }
  }
}

/** TLS says only that the stream below has closed: what the relay said of it is put in its place. */
export function withReason(pipe: Pipe, stream: RelayStream): Pipe {
  return {
    ...pipe,
    start: (data, closed) => pipe.start(data, (error) => closed(stream.failure ?? error)),
  };
}
