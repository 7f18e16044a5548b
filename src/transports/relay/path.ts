/** The receiver's end of relayed lanes: dialled at the server, like any other path. */
import { realClock, withDeadline } from '../../base/clock.ts';
import { fault, faultFrom } from '../../base/errors.ts';
import { LANE_OPEN_DEADLINE } from '../../base/limits.ts';
import type { Pipe } from '../../secure/pipe.ts';
import { authorityOf, serviceUrl } from '../../websocket/url.ts';
import { RELAY_PATH } from '../../wire/rendezvous.ts';
import type { Path } from '../path.ts';
import { type Connect, type Linked, withReason } from './link.ts';

/** Lanes at once: one TCP connection through a relay is slow only where the way to it loses packets. */
const MOST = 4;

/** Milliseconds that a connection made ahead is worth something: the sender's end waits LANE_OPEN_DEADLINE for the handshake. */
const AHEAD = 5_000;

export interface RelayPathOptions {
  /** As for `--server`. */
  url: string;
  /** The present one; undefined while this side has no place at the server. */
  token: () => string | undefined;
  connect: Connect<Pipe>;
}

export class RelayPath implements Path {
  readonly kind = 'relay';
  readonly name: string;
  readonly most = MOST;
  readonly #options: RelayPathOptions;
  #ahead:
    | { linked: Promise<Linked<Pipe>>; control: AbortController; timer: ReturnType<typeof setTimeout> }
    | undefined;

  /** @throws BeelineError USAGE for a malformed URL */
  constructor(options: RelayPathOptions) {
    this.#options = options;
    this.name = authorityOf(serviceUrl(options.url, RELAY_PATH));
  }

  /**
   * Connects to the sender's end now, while the two still prove themselves to each other, so that the handshake can begin as
   * soon as a relay turns out to be needed. Let go again if it is not.
   */
  prepare(): void {
    const { token, connect } = this.#options;
    const shown = token();
    if (this.#ahead || !shown) return;
    const control = new AbortController();
    const linked = connect(shown, control.signal);
    const ahead = { linked, control, timer: setTimeout(() => this.close(), AHEAD) };
    this.#ahead = ahead;
    const gone = () => {
      if (this.#ahead === ahead) this.close();
    };
    linked.then(({ link }) => void link.gone.then(gone), gone);
  }

  /** Lets go of what was prepared. */
  close(): void {
    const ahead = this.#take();
    ahead?.control.abort();
    ahead?.linked.then(({ link }) => link.destroy()).catch(() => {});
  }

  #take() {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    clearTimeout(ahead?.timer);
    return ahead;
  }

  async open(signal: AbortSignal): Promise<Pipe> {
    const { token, connect } = this.#options;
    const shown = token();
    if (!shown) throw fault('RELAY_NO_PLACE');
    const ahead = this.#take();
    // One deadline for all of it; the steps below know only that they are to stop.
    const late = () => fault('RELAY_LANE_LATE');
    try {
      return await withDeadline(realClock, signal, LANE_OPEN_DEADLINE, late, async (scope) => {
        scope.addEventListener('abort', () => ahead?.control.abort());
        const { link, secure } = await (ahead?.linked ?? connect(shown, scope));
        return withReason(await secure(scope), link);
      });
    } catch (thrown) {
      if (signal.aborted) throw fault('LANE_OUTPACED');
      const error = faultFrom(thrown, 'RELAY_LANE_BROKEN');
      const kept = error.code === 'AUTHENTICATION' || error.code === 'TIMEOUT' || error.code === 'NO_PATH';
      throw kept ? error : fault('RELAY_LANE_BROKEN', { why: error.message }, { cause: error });
    }
  }
}
