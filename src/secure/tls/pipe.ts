/** A TLS socket as a pipe. One that we dialled is read into a buffer of ours, which costs a quarter less CPU. */
import type { TLSSocket } from 'node:tls';
import { formatAddress } from '../../wire/candidate.ts';
import type { Pipe } from '../pipe.ts';

/** Filled by the socket when it was opened with `onread`; TLS hands over at most one record, 16 KiB, at a time. */
export const READ_BUFFER = 64 * 1024;

/** Bridges `onread`, which must be given when the socket is made, to a pipe that is made when it is trusted. */
export class ReadBridge {
  readonly options = {
    buffer: Buffer.allocUnsafeSlow(READ_BUFFER),
    callback: (length: number, buffer: Uint8Array) => this.#read(buffer.subarray(0, length)),
  };
  #data: ((bytes: Uint8Array) => void) | undefined;
  #early: Uint8Array[] = [];
  paused = true;

  start(data: (bytes: Uint8Array) => void): void {
    this.#data = data;
    this.paused = false;
    for (const bytes of this.#early.splice(0)) data(bytes);
  }

  /** False stops reading until `resume`. */
  #read(bytes: Uint8Array): boolean {
    if (this.#data) this.#data(bytes);
    else this.#early.push(new Uint8Array(bytes));
    return !this.paused;
  }
}

/** What carries the socket, and between which addresses; default: TCP, and what the socket says. */
export type Ends = Pick<Pipe, 'kind' | 'relayed' | 'local' | 'remote'>;

/** @param bridge given when the socket was opened with its `options` as `onread` */
export function tlsPipe(socket: TLSSocket, ends: Ends = tcpEnds(socket), bridge?: ReadBridge): Pipe {
  socket.setNoDelay(true);
  // A server's socket that was not made by tls.Server says only so that a record was forged. Undocumented, and kept by a test.
  socket.on('_tlsError', (error: Error) => socket.destroy(error));
  return {
    kind: ends.kind,
    ...(ends.relayed && { relayed: true }),
    local: ends.local,
    remote: ends.remote,
    write: (bytes, done) => void socket.write(bytes, done),
    start(data, closed) {
      let failure: Error | undefined;
      socket.on('error', (error) => {
        failure = error;
      });
      // A clean end from the other side ends the lane: lanes are never half open.
      socket.on('end', () => socket.destroy());
      socket.on('close', () => closed(failure));
      if (socket.destroyed) return void setImmediate(closed);
      if (!bridge) return void socket.on('data', data);
      bridge.start(data);
      socket.resume();
    },
    pause() {
      if (bridge) bridge.paused = true;
      else socket.pause();
    },
    resume() {
      if (bridge) bridge.paused = false;
      socket.resume();
    },
    // No error argument: it would be emitted on a socket whose owner is done with it.
    destroy: () => void socket.destroy(),
  };
}

/** The ends of a socket that is TCP itself. */
export function tcpEnds(socket: TLSSocket): Ends {
  const { localAddress = '?', localPort = 0, remoteAddress = '?', remotePort = 0 } = socket;
  return {
    kind: 'tcp',
    local: formatAddress({ host: localAddress, port: localPort }),
    remote: formatAddress({ host: remoteAddress, port: remotePort }),
  };
}
