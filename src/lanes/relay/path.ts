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

/** Milliseconds that a connection made ahead is worth something: the sender's end gives TLS LANE_OPEN_DEADLINE. */
const AHEAD = 5_000;

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
  #ahead: { stream: Promise<RelayStream>; control: AbortController; timer: NodeJS.Timeout } | undefined;

  /** @throws BeelineError USAGE for a malformed URL */
  constructor(options: RelayPathOptions) {
    this.#options = options;
    this.name = authorityOf(serviceUrl(options.url, RELAY_PATH));
  }

  /**
   * Connects to the sender's end now, while the two still prove themselves to each other, so that TLS can begin as soon as
   * a relay turns out to be needed. Let go again if it is not.
   */
  prepare(): void {
    const { url, token } = this.#options;
    const shown = token();
    if (this.#ahead || !shown) return;
    const control = new AbortController();
    const stream = relayStream(url, shown, control.signal);
    const ahead = { stream, control, timer: setTimeout(() => this.close(), AHEAD) };
    this.#ahead = ahead;
    const gone = () => {
      if (this.#ahead === ahead) this.close();
    };
    stream.then((open) => open.once('close', gone), gone);
  }

  /** Lets go of what was prepared. */
  close(): void {
    const ahead = this.#take();
    ahead?.control.abort();
    ahead?.stream.then((open) => open.destroy()).catch(() => {});
  }

  #take() {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    clearTimeout(ahead?.timer);
    return ahead;
  }

  async open(signal: AbortSignal): Promise<Pipe> {
    const { url, token, context, pin } = this.#options;
    const shown = token();
    if (!shown) throw new BeelineError('NO_PATH', 'This side has no place at the server at the moment.');
    const ahead = this.#take();
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
      scope.signal.addEventListener('abort', () => ahead?.control.abort());
      const stream = await (ahead?.stream ?? relayStream(url, shown, scope.signal));
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
