/** Taking a connection that a peer has made to the relayed address (RFC 6062, 4.4). */
import type { Socket } from 'node:net';
import { ATTRIBUTE, METHOD } from '../../nat/stun/message.ts';
import { connectTurn } from './connect.ts';
import { ControlConnection, type ControlOptions } from './control.ts';
import type { TurnTarget } from './url.ts';

export interface DataOptions extends Pick<ControlOptions, 'name' | 'credential' | 'answer'> {
  target: TurnTarget;
  /** IP address of the very server that the control connection leads to. */
  address: string;
  /** CONNECTION-ID of the ConnectionAttempt. */
  id: Uint8Array;
  /** Resolves once the credential's nonce is known to be fresh. */
  fresh: Promise<void>;
  signal: AbortSignal;
}

/**
 * A second connection to the server, bound to the peer's: a byte stream to and from the peer, paused.
 * @throws BeelineError as `ControlConnection.request`; nothing is left open then.
 */
export async function bindConnection(options: DataOptions): Promise<Socket> {
  const { target, address, id, fresh, signal, answer } = options;
  const opening = connectTurn(target, { address, deadline: answer, signal });
  // coturn checks this request by the control connection's nonce, and forgets the peer's connection when that is
  // stale: there is no second try. So a nonce is proven fresh meanwhile, which costs no round trip of its own.
  const [opened, proven] = await Promise.allSettled([opening, fresh]);
  if (opened.status === 'rejected') throw opened.reason;
  const socket = opened.value;
  if (proven.status === 'rejected') {
    socket.destroy();
    throw proven.reason;
  }
  const control = new ControlConnection(socket, { ...options, credential: options.credential.copy() });
  const abort = () => control.destroy();
  signal.addEventListener('abort', abort);
  try {
    if (signal.aborted) abort();
    const attributes = [{ type: ATTRIBUTE.connectionId, value: id }];
    await control.request(METHOD.connectionBind, () => attributes, true);
    return control.release();
  } catch (thrown) {
    control.destroy();
    throw thrown;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
