/** Asking a STUN server over TCP, from the very local port whose mapping is to be known. */
import { connect, isIPv6, type Socket } from 'node:net';
import { plainHost } from '../../base/addresses.ts';
import { asBeelineError, type BeelineError, fault } from '../../base/errors.ts';
import { type Address, formatAddress } from '../../wire/candidate.ts';
import { ASK_DEADLINE, type Binding, bindingRequest, cancelled, readBinding, silent } from './binding.ts';
import { StunFrames } from './frames.ts';
import { decodeStun, METHOD, newTransaction, type StunMessage } from './message.ts';

/** A server closes a connection that is silent for a minute; asked again so often, it stays, and the mapping with it. */
const KEEP_ALIVE = 20_000;

export interface TcpAsk {
  /**
   * 0 or undefined: any. libuv sets SO_REUSEADDR, so that connections to different servers may share one (not on
   * Windows), also with those that are dialled from it later.
   */
  localPort?: number;
  /** The local address; undefined: as the route says. */
  localHost?: string;
  /** Milliseconds for connecting and the answer; default ASK_DEADLINE. */
  deadline?: number;
  signal?: AbortSignal;
}

export interface TcpBinding extends Binding {
  local: Address;
  /** Kept open by requests now and then; whoever asked destroys it. It fails silently: listen to `close`. */
  socket: Socket;
  /** Milliseconds from the request to the answer, without connecting. */
  roundTrip: number;
}

/** @throws BeelineError NO_PATH, TIMEOUT, SERVER, PROTOCOL or CANCELLED; nothing is left open then. */
export function askTcp(server: Address, options: TcpAsk = {}): Promise<TcpBinding> {
  const { localPort, localHost, deadline = ASK_DEADLINE, signal } = options;
  const transaction = newTransaction();
  const frames = new StunFrames();
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(cancelled());
    const socket = connect({
      host: server.host,
      port: server.port,
      localPort,
      // Named even where any will do: only a port that was bound to, not one that connecting picked, can be shared.
      localAddress: localHost ?? (isIPv6(server.host) ? '::' : '0.0.0.0'),
      noDelay: true,
    });
    let asked = 0;
    const settle = (error?: BeelineError) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      socket.removeListener('data', data);
      socket.removeListener('close', closed);
      if (!error) return;
      socket.destroy();
      reject(error);
    };
    const abort = () => settle(cancelled());
    const closed = () => settle(unreachable(server));
    const data = (bytes: Uint8Array) => {
      try {
        const answer = take(frames, bytes, transaction);
        if (!answer) return;
        const binding = readBinding(answer, server);
        const local = { host: plainHost(socket.localAddress ?? ''), port: socket.localPort ?? 0 };
        const roundTrip = performance.now() - asked;
        settle();
        keepAlive(socket);
        resolve({ ...binding, local, socket, roundTrip });
      } catch (thrown) {
        settle(asBeelineError(thrown));
      }
    };
    const timer = setTimeout(() => settle(silent(server)), deadline);
    signal?.addEventListener('abort', abort);
    // Stays: a connection that breaks while its mapping is in use only closes.
    socket.on('error', (cause) => {
      settle(unreachable(server, cause));
      socket.destroy();
    });
    socket.once('close', closed);
    socket.on('data', data);
    socket.once('connect', () => {
      asked = performance.now();
      socket.write(bindingRequest(transaction));
    });
  });
}

/** The answer, once it is whole. @throws BeelineError PROTOCOL if something else came. */
function take(frames: StunFrames, bytes: Uint8Array, transaction: Uint8Array): StunMessage | undefined {
  frames.push(bytes);
  const whole = frames.next();
  if (!whole) return undefined;
  const message = decodeStun(whole);
  const ours = message?.transaction.every((byte, i) => byte === transaction[i]);
  if (!message || !ours || message.method !== METHOD.binding || !['success', 'error'].includes(message.class))
    throw fault('STUN_MALFORMED');
  return message;
}

function keepAlive(socket: Socket): void {
  // Later answers say the same.
  socket.on('data', () => {});
  const timer = setInterval(() => socket.write(bindingRequest(newTransaction())), KEEP_ALIVE);
  timer.unref();
  socket.once('close', () => clearInterval(timer));
}

function unreachable(server: Address, cause?: Error): BeelineError {
  const what = cause === undefined ? 'it closed the connection' : cause.message;
  return fault('STUN_TCP_FAILED', { server: formatAddress(server), what }, { cause });
}
