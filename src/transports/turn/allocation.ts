/**
 * A TCP port at a TURN server that leads here (RFC 6062, on RFC 8656's basics): the peer dials it like any address, with
 * TLS from end to end, and every connection that it makes becomes a pipe. It works where UDP does not.
 */

import { asBeelineError, fault } from '../../base/errors.ts';
import { readXorAddress } from '../../nat/stun/attributes.ts';
import { ATTRIBUTE, attributeOf, METHOD } from '../../nat/stun/message.ts';
import { formatAddress } from '../../wire/candidate.ts';
import { boundedLookup } from './bounds.ts';
import { connectTurn } from './connect.ts';
import { ControlConnection } from './control.ts';
import { Credential } from './credential.ts';
import { TIMING, type TurnAllocation, type TurnOptions } from './options.ts';
import { Standing } from './standing.ts';
import { type TurnTarget, turnTargets } from './url.ts';

export type { TurnAllocation, TurnOptions, TurnTiming } from './options.ts';

/** IANA's number of TCP, in the first of four bytes (RFC 6062, 4.1). */
const TRANSPORT_TCP = Uint8Array.of(6, 0, 0, 0);
/**
 * Tries the server's URLs one after the other.
 * @throws BeelineError of the first: NO_PATH or TIMEOUT (not reached), SERVER (it refused), AUTHENTICATION, PROTOCOL
 */
export async function allocate(options: TurnOptions): Promise<TurnAllocation> {
  let failure = fault('TURN_UNNAMED');
  for (const [index, target] of turnTargets(options.server.urls).entries()) {
    try {
      return await allocateAt(target, options);
    } catch (thrown) {
      const error = asBeelineError(thrown);
      options.log?.debug({ server: formatAddress(target), reason: error.message }, 'no TURN allocation');
      if (index === 0) failure = error;
      if (options.signal.aborted) throw error;
    }
  }
  throw failure;
}

async function allocateAt(target: TurnTarget, options: TurnOptions): Promise<TurnAllocation> {
  const { signal, server } = options;
  const timing = { ...TIMING, ...options.timing };
  const name = formatAddress(target);
  const lookup = await boundedLookup(target, options.rendezvous);
  const socket = await connectTurn(target, { lookup, deadline: timing.answer, signal });
  const credential = new Credential(server);
  let allocation: Standing | undefined;
  const control = new ControlConnection(socket, {
    name,
    credential,
    answer: timing.answer,
    indication: (message) => allocation?.indicated(message),
    closed: (error) => allocation?.lose(error),
  });
  const abort = () => control.destroy();
  signal.addEventListener('abort', abort);
  try {
    if (signal.aborted) abort();
    const attribute = { type: ATTRIBUTE.requestedTransport, value: TRANSPORT_TCP };
    const answer = await control.request(METHOD.allocate, () => [attribute]);
    const relayed = readXorAddress(attributeOf(answer, ATTRIBUTE.xorRelayedAddress), answer.transaction);
    const mapped = readXorAddress(attributeOf(answer, ATTRIBUTE.xorMappedAddress), answer.transaction);
    if (socket.destroyed) throw fault('TURN_CLOSED', { name });
    if (!relayed || !mapped) throw fault('TURN_MALFORMED', { name, what: 'gives an address that is none' });
    // Later connections must reach the same server, which a name may not lead to again.
    const address = socket.remoteAddress ?? target.host;
    const granted = { options, timing, target, address, credential, control, relayed, mapped };
    allocation = new Standing(granted, answer);
    return allocation;
  } catch (thrown) {
    control.destroy();
    throw thrown;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
