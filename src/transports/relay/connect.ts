/** A connection at a server's relay: opened, named by a token, and waited with until the other side's is there. */
import type { RawData, WebSocket } from 'ws';
import { realClock, withDeadline } from '../../base/clock.ts';
import { type BeelineError, fault } from '../../base/errors.ts';
import { LANE_OPEN_DEADLINE } from '../../base/limits.ts';
import { dialWebSocket } from '../../websocket/dial.ts';
import { authorityOf, serviceUrl } from '../../websocket/url.ts';
import { formatAddress } from '../../wire/candidate.ts';
import { decodePaired, encodeRelayHello, MAX_RELAY_MESSAGE, readReason } from '../../wire/relay.ts';
import { RELAY_PATH } from '../../wire/rendezvous.ts';
import { RelayStream } from './stream.ts';

/** The server pings who waits every 10 s; after this long without a sign of it, the connection is dead. Milliseconds. */
const SILENCE = 35_000;

/**
 * Resolves when the server has paired it with a connection of the other side's; that may take as long as the signal lets it.
 * @param url as for `--server` @param token the seat's, from `hosted` or `joined`
 * @throws BeelineError NO_PATH (with the relay's own words, if it had some), SERVER, USAGE, or what the signal was aborted with.
 */
export async function relayStream(url: string, token: string, signal: AbortSignal): Promise<RelayStream> {
  const target = serviceUrl(url, RELAY_PATH);
  // Only the pairing may take long: what a dead network swallows is noticed by nothing else for a quarter of an hour.
  const late = () => refused('it did not answer in time');
  // In an object: the promise in it is not to be awaited by the dialling.
  const opened = await withDeadline(realClock, signal, LANE_OPEN_DEADLINE, late, (dialling) =>
    dialWebSocket(
      {
        url: target,
        name: `the relay at ${target}`,
        maxPayload: MAX_RELAY_MESSAGE,
        signal: dialling,
        // RFC 6455 (5.3, 10.3) wants masks that cannot be foreseen, so that no script in a browser can make its messages look like
        // HTTP to a cache on the way. Here no stranger chooses the bytes: they are TLS or sealed records, random by themselves,
        // and a mask of zeros spares both ends a pass over them and this one a copy.
        generateMask: (mask) => mask.fill(0),
      },
      (webSocket) => {
        const pairing = paired(webSocket, target, token, signal);
        // Should the deadline come in this moment, nobody waits for it any more.
        pairing.catch(() => {});
        return { pairing };
      },
    ),
  );
  return opened.pairing;
}

function paired(
  webSocket: WebSocket,
  target: string,
  token: string,
  signal: AbortSignal,
): Promise<RelayStream> {
  // Asked now: a socket that is closed does not know it any more.
  const local = localOf(webSocket);
  const pairing = new Promise<RelayStream>((resolve, reject) => {
    const settle = () => {
      clearTimeout(silence);
      signal.removeEventListener('abort', abort);
      webSocket.off('message', message);
      webSocket.off('close', closed);
      webSocket.off('error', failed);
    };
    const fail = (reason: unknown) => {
      settle();
      webSocket.on('error', () => {});
      webSocket.terminate();
      reject(reason);
    };
    const abort = () => fail(signal.reason);
    const silence = setTimeout(() => fail(refused(`nothing heard for ${SILENCE / 1000} s`)), SILENCE);
    const message = (data: RawData, isBinary: boolean) => {
      try {
        decodePaired(isBinary ? '' : data.toString());
      } catch (error) {
        return fail(error);
      }
      settle();
      resolve(new RelayStream(webSocket, { local, remote: authorityOf(target) }));
    };
    const closed = (code: number, reason: Buffer) =>
      fail(refused(readReason(reason.toString()) || `it closed (${code})`));
    const failed = (cause: Error) => fail(refused(cause.message, cause));
    webSocket.on('ping', () => silence.refresh());
    webSocket.on('message', message);
    webSocket.on('close', closed);
    webSocket.on('error', failed);
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
    else webSocket.send(encodeRelayHello({ token }));
  });
  // Whoever dialled looks at it a turn later.
  pairing.catch(() => {});
  return pairing;
}

function localOf(webSocket: WebSocket): string {
  // Not in the types, but the only way to ask; it is for people only.
  const socket = (webSocket as unknown as { _socket?: { localAddress?: string; localPort?: number } })
    ._socket;
  return formatAddress({ host: socket?.localAddress ?? '?', port: socket?.localPort ?? 0 });
}

function refused(what: string, cause?: Error): BeelineError {
  return fault('RELAY_REFUSED', { what }, { cause });
}
