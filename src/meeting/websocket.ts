/** The wire to a rendezvous over WebSocket: a server's URL, or the addresses of a sender that hosts its own. */
import { connect, type Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { Alarm, realClock, until } from '../base/clock.ts';
import { fault } from '../base/errors.ts';
import { MAX_MAILBOX_BYTES } from '../base/limits.ts';
import { dialWebSocket as dial } from '../websocket/dial.ts';
import { rendezvousUrl } from '../websocket/url.ts';
import { type Address, formatAddress } from '../wire/candidate.ts';
import {
  FIRST_HEADER,
  FIRST_TAKEN,
  MAX_FIRST,
  MAX_RENDEZVOUS_TEXT,
  RENDEZVOUS_PATH,
} from '../wire/rendezvous.ts';
import type { Dial, Wire, WireEvents } from './ports.ts';

/** More addresses than any machine offers are not tried. */
const MOST_TRIED = 32;
/** The server pings every 10 s. After so long without anything from it, the connection is dead. */
const SILENCE_MS = 35_000;
const CLOSING_MS = 2000;
/** An address that has not answered by then is dialled a second time beside the first: a lost first packet is repeated after a second only. */
const AGAIN_MS = 300;

/** A server's URL, or how to find the sender's own: asked at every dial, since a sender may move. */
export type Target =
  | { url: string }
  | {
      find: (signal: AbortSignal) => Promise<readonly Address[]>;
      /** The first of these that is connected. */
      reached?: (address: Address) => void;
    };

/** As people know it. */
const asGiven = (url: string): string => url.replace(/^ws/, 'http').replace(RENDEZVOUS_PATH, '');

/** @throws BeelineError USAGE at once for a malformed URL. */
export function dialWebSocket(target: Target): Dial {
  const url = 'url' in target ? rendezvousUrl(target.url) : undefined;
  return (events, signal, first) =>
    dial(
      {
        // The host only fills the Host header when the socket is given; a zone has no place in a URL (RFC 6874 was never adopted).
        url: url ?? `ws://beeline.local${RENDEZVOUS_PATH}`,
        name: url === undefined ? 'the sender' : `the server at ${asGiven(url)}`,
        maxPayload: MAX_RENDEZVOUS_TEXT,
        signal,
        ...(first.length <= MAX_FIRST && { headers: { [FIRST_HEADER]: first } }),
        ...('find' in target && {
          socket: async () => connectFirst(await target.find(signal), signal, target.reached),
        }),
      },
      (webSocket, headers) => wireOf(webSocket, events, headers[FIRST_HEADER] === FIRST_TAKEN),
    );
}

function wireOf(webSocket: WebSocket, events: WireEvents, said: boolean): Wire {
  const silence = new Alarm(realClock);
  let over = false;
  const lost = (why: string, cause?: unknown) => {
    silence.clear();
    if (over) return;
    over = true;
    webSocket.terminate();
    events.closed(fault('SERVER_LOST', { why }, { cause }));
  };
  const heard = () => silence.set(SILENCE_MS, () => lost(`nothing heard for ${SILENCE_MS / 1000} s`));
  heard();
  webSocket.on('ping', heard);
  webSocket.on('error', (error) => lost(error.message, error));
  webSocket.on('close', (code) => lost(code === 1009 ? 'a message was too large' : `it closed (${code})`));
  webSocket.on('message', (data, isBinary) => {
    if (over) return;
    heard();
    if (isBinary) lost('it sent binary data');
    else events.text(data.toString());
  });
  return {
    said,
    send(text) {
      if (over || webSocket.readyState !== webSocket.OPEN) return;
      if (webSocket.bufferedAmount > MAX_MAILBOX_BYTES) lost('it reads too slowly');
      else webSocket.send(text);
    },
    close() {
      if (over) return;
      over = true;
      silence.clear();
      webSocket.close(1000);
      setTimeout(() => webSocket.terminate(), CLOSING_MS).unref();
    },
  };
}

/**
 * Tries all at once: on a LAN the wrong ones cost a packet, and waiting for one in turn costs a person seconds.
 * @throws BeelineError NO_PEER if none answers; what the signal was aborted with otherwise.
 */
async function connectFirst(
  addresses: readonly Address[],
  signal: AbortSignal,
  reached?: (address: Address) => void,
): Promise<Socket> {
  const tried = addresses.slice(0, MOST_TRIED);
  const sockets: Socket[] = [];
  const dialled = (to: Address) =>
    new Promise<[Socket, Address]>((resolve, reject) => {
      const socket = connect({ host: to.host, port: to.port, noDelay: true });
      sockets.push(socket);
      socket.once('connect', () => resolve([socket, to]));
      socket.on('error', reject);
    });
  const again: (() => void)[] = [];
  const connected = (address: Address) =>
    new Promise<[Socket, Address]>((resolve, reject) => {
      dialled(address).then(resolve, reject);
      again.push(realClock.after(AGAIN_MS, () => void dialled(address).then(resolve, () => {})));
    });
  let first: Socket | undefined;
  try {
    const [socket, address] = await until(signal, () => Promise.any(tried.map(connected)));
    first = socket;
    reached?.(address);
    return first;
  } catch (thrown) {
    if (!(thrown instanceof AggregateError)) throw thrown;
    const failures = thrown.errors.map(
      ({ code, message }, i) => `${formatAddress(tried[i]!)} (${code ?? message})`,
    );
    throw fault('SENDER_SILENT', { where: failures.join(', ') || 'no address' });
  } finally {
    for (const cancel of again) cancel();
    for (const socket of sockets) if (socket !== first) socket.destroy();
  }
}
