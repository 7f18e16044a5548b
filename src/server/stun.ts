/**
 * A STUN responder (RFC 8489) on two ports of one host, over UDP and TCP, so that the kind of NAT can be told
 * (RFC 5780, without its second address). It holds no state for UDP, and gives nobody much: see src/nat/stun/answer.ts.
 * Non-goal: a host of several addresses that answers UDP from the one it was asked at: name the address then.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { type AddressInfo, createServer, isIP, type Server, type Socket } from 'node:net';
import { addressKey, plainHost } from '../base/addresses.ts';
import { TokenBucket, TokenBuckets } from '../base/bucket.ts';
import { type BeelineError, fault } from '../base/errors.ts';
import { Room } from '../base/room.ts';
import {
  answerBinding,
  CONNECTION_LIMITS,
  type ConnectionLimits,
  serveConnection,
} from '../nat/stun/answer.ts';
import { looksLikeStun } from '../nat/stun/message.ts';
import { listen } from './listen.ts';
import { type ServerLog, SILENT } from './log.ts';

export interface StunOptions {
  /**
   * UDP on both, TCP on the second: the first is the HTTP server's, which hands connections over. 0: any. The second
   * must be another one.
   */
  ports: readonly [number, number];
  /** Address to listen on; undefined: all, IPv4 and IPv6. */
  host?: string;
  log?: ServerLog;
  /** Requests a second from one address (IPv6: from one /64). */
  perSecond?: number;
  /** Of TCP connections. */
  connection?: ConnectionLimits;
  /** An answer over UDP, or a first one over a TCP connection. */
  onAnswer?: (over: 'udp' | 'tcp') => void;
}

export interface StunServer {
  readonly ports: [number, number];
  /** A connection to the first port that begins like STUN; nobody else reads it from here on. */
  accept(socket: Socket): void;
  /** Ends every connection, and resolves when the ports are free. */
  close(): Promise<void>;
}

/** Many may share one address behind a carrier's NAT; each of them asks a handful of times to begin with. */
const PER_SECOND = 50;
/** All addresses together, so that a flood with forged sources leaves this process time for the rest. */
const TOTAL = 100;
/** TCP connections, of one address and in total: a session, also one that waits for its peer, keeps four in each family. */
const MAX_OF_ADDRESS = 256;
const MAX_ASKING = 3_000;
/** Those that have not asked anything yet: they have seconds. */
const MAX_SILENT = 1_000;
export const MAX_STUN_CONNECTIONS = MAX_ASKING + MAX_SILENT;
/** Tries for a port that is free for UDP and TCP. */
const TRIES = 10;

/** @throws BeelineError SERVER if a port cannot be listened on; nothing is left open then. */
export async function startStun(options: StunOptions): Promise<StunServer> {
  const {
    ports,
    log = SILENT,
    onAnswer = () => {},
    perSecond = PER_SECOND,
    connection = CONNECTION_LIMITS,
  } = options;
  const host = options.host === undefined || isIP(options.host) ? options.host : await resolve(options.host);

  const each = new TokenBuckets(perSecond, perSecond);
  const all = new TokenBucket(TOTAL * perSecond);
  const sockets = new Set<Socket>();
  const destroy = (socket: Socket) => void socket.destroy();
  const silent = new Room<Socket>({ inAll: MAX_SILENT, ofAddress: MAX_OF_ADDRESS }, 'oldest', destroy);
  const asking = new Room<Socket>({ inAll: MAX_ASKING, ofAddress: MAX_OF_ADDRESS }, 'fair', destroy);
  const take = (socket: Socket, other?: number) => {
    const key = addressKey(socket.remoteAddress ?? '');
    if (other === undefined || !each.take(key) || !silent.enter(key, socket)) return void socket.destroy();
    sockets.add(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      silent.leave(socket);
      asking.leave(socket);
    });
    serveConnection(socket, other, connection, () => {
      silent.leave(socket);
      onAnswer('tcp');
      return asking.enter(key, socket);
    });
  };

  let numbers: [number, number] | undefined;
  const opened = await open(ports, host, log, (socket) => take(socket, numbers?.[0]));
  const { udp } = opened;
  numbers = opened.numbers;
  const [first, second] = numbers;
  // node:dgram does not say to which address of this host a datagram came. Unspecified means "the one you asked".
  const unspecified = host === undefined || host === '::' || host === '0.0.0.0';
  const own = unspecified ? '0.0.0.0' : plainHost(host);
  udp.forEach((socket, i) => {
    const other = { host: own, port: i === 0 ? second : first };
    socket.on('message', (bytes, { address, port }) => {
      // A forged source port of 0 cannot be sent to.
      if (port === 0 || !looksLikeStun(bytes)) return;
      if (!each.take(addressKey(address)) || !all.take()) return;
      const from = { host: plainHost(address), port };
      const answer = answerBinding(bytes, { from, other, canChange: true });
      // Lost answers are asked for again.
      if (answer) onAnswer('udp');
      if (answer) udp[answer.changePort ? 1 - i : i]!.send(answer.bytes, port, address, () => {});
    });
  });
  log.info({ ports: [first, second] }, 'STUN');
  let closing: Promise<void> | undefined;

  return {
    ports: [first, second],
    accept: (socket) => take(socket, second),
    close() {
      closing ??= opened.close();
      for (const socket of sockets) socket.destroy();
      return closing;
    },
  };
}

interface Opened {
  udp: [UdpSocket, UdpSocket];
  numbers: [number, number];
  close(): Promise<void>;
}

async function open(
  [first, second]: readonly [number, number],
  host: string | undefined,
  log: ServerLog,
  onSocket: (socket: Socket) => void,
): Promise<Opened> {
  const udpA = await bindUdp(first, host, log);
  const opened: (UdpSocket | Server)[] = [udpA];
  const close = async () => {
    await Promise.all(opened.map((each) => new Promise<void>((done) => each.close(() => done()))));
  };
  try {
    for (let tries = second === 0 ? TRIES : 1; ; tries--) {
      const tcp = await listenTcp(second, host, log, onSocket);
      opened.push(tcp);
      const number = (tcp.address() as AddressInfo).port;
      try {
        const udpB = await bindUdp(number, host, log);
        opened.push(udpB);
        return { udp: [udpA, udpB], numbers: [udpA.address().port, number], close };
      } catch (thrown) {
        if (tries <= 1) throw thrown;
        opened.pop();
        tcp.close();
      }
    }
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

async function bindUdp(port: number, host: string | undefined, log: ServerLog): Promise<UdpSocket> {
  if (host !== undefined) return bindFamily(isIP(host) === 6 ? 'udp6' : 'udp4', port, log, host);
  // One socket for both families, where there are both.
  return bindFamily('udp6', port, log).catch((thrown: BeelineError) => {
    const { code } = (thrown.cause ?? {}) as NodeJS.ErrnoException;
    if (code !== 'EAFNOSUPPORT' && code !== 'EADDRNOTAVAIL') throw thrown;
    return bindFamily('udp4', port, log);
  });
}

async function bindFamily(
  type: 'udp4' | 'udp6',
  port: number,
  log: ServerLog,
  host?: string,
): Promise<UdpSocket> {
  const socket = createSocket(type);
  await listen(socket, { port, host }, `UDP port ${port} of ${host ?? 'any address'} for STUN`);
  return socket.on('error', (error) => log.warn({ error: error.message, port }, 'STUN socket error'));
}

async function listenTcp(
  port: number,
  host: string | undefined,
  log: ServerLog,
  onSocket: (socket: Socket) => void,
): Promise<Server> {
  const server = createServer({ noDelay: true }, onSocket);
  // More than the rooms hold: those that are being closed have left theirs.
  server.maxConnections = 2 * MAX_STUN_CONNECTIONS;
  await listen(server, { port, host }, `TCP port ${port} of ${host ?? 'any address'} for STUN`);
  return server.on('error', (error) => log.warn({ error: error.message, port }, 'STUN listener error'));
}

async function resolve(name: string): Promise<string> {
  try {
    return (await lookup(name)).address;
  } catch (cause) {
    throw fault('HOST_UNKNOWN', { what: `${name} for STUN` }, { cause });
  }
}
