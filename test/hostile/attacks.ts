/** What strangers do to a server, each from many addresses of this machine, until it is told to stop. */
import { createSocket } from 'node:dgram';
import { connect, type Socket } from 'node:net';

export interface Target {
  port: number;
  /** The second port of STUN. */
  second: number;
}

export interface Force {
  addresses: number;
  /** Of one address, for each kind of attack. */
  each: number;
}

type Begin = (socket: Socket, until: AbortSignal) => void;

const UPGRADE = (path: string, ...more: string[]) =>
  [
    `GET ${path} HTTP/1.1`,
    'host: x',
    'connection: upgrade',
    'upgrade: websocket',
    'sec-websocket-version: 13',
  ]
    .concat('sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==', more, '', '')
    .join('\r\n');
/** A frame of a client, with a mask of zeros. */
const frame = (first: number, body: Buffer) => {
  const head = body.length < 126 ? Buffer.alloc(6) : Buffer.alloc(8);
  head[0] = first;
  head[1] = 0x80 | (body.length < 126 ? body.length : 126);
  if (body.length >= 126) head.writeUInt16BE(body.length, 2);
  return Buffer.concat([head, body]);
};
const [TEXT, BINARY, MORE_BINARY, CONTINUED, PING] = [0x81, 0x82, 0x02, 0x00, 0x89];
const HUGE = Buffer.concat([
  Buffer.of(BINARY, 0xff),
  Buffer.from('00ffffffffffffff', 'hex'),
  Buffer.alloc(4),
]);

/** Writes the same at once and then at each beat. */
const beat =
  (first: string | Buffer, again: string | Buffer, ms: number): Begin =>
  (socket, until) => {
    socket.write(first);
    const timer = setInterval(() => socket.writableLength < 65_536 && socket.write(again), ms);
    const stop = () => clearInterval(timer);
    socket.once('close', stop);
    until.addEventListener('abort', stop);
  };
/** Writes the same as fast as it is taken, and reads what comes back. */
const pour =
  (bytes: string): Begin =>
  (socket) => {
    const more = () => {
      while (!socket.destroyed && socket.write(bytes));
    };
    socket.resume().on('drain', more);
    more();
  };
const once =
  (bytes: string | Buffer): Begin =>
  (socket) =>
    void socket.write(bytes);

/** By name, for a test to say which. */
export const ATTACKS: Readonly<Record<string, Begin>> = {
  'says nothing': () => {},
  'half of a TLS hello': once(Buffer.of(0x16, 3, 1, 2)),
  'headers that drip': beat('GET / HTTP/1.1\r\n', 'x: y\r\n', 300),
  'requests without end': pour('GET / HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(2400)),
  'requests without end, and nobody who reads': beat('', 'GET / HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(50), 50),
  'a huge Origin': once(UPGRADE('/v1/rendezvous', `origin: http://${'x'.repeat(7_000)}`)),
  'more headers than may be': once(UPGRADE('/v1/rendezvous', `origin: http://${'x'.repeat(70_000)}`)),
  'a request with a body that never ends': beat(
    'POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n',
    '1\r\nx\r\n',
    100,
  ),
  'another path': once(UPGRADE('/nowhere')),
  'a meeting that asks for nothing': once(UPGRADE('/v1/rendezvous')),
  'a relay that shows no token': once(UPGRADE('/v1/relay')),
  'a frame of exabytes': once(Buffer.concat([Buffer.from(UPGRADE('/v1/relay')), HUGE])),
  'bad UTF-8': once(
    Buffer.concat([Buffer.from(UPGRADE('/v1/rendezvous')), frame(TEXT, Buffer.of(0xc3, 0x28, 0xff))]),
  ),
  'fragments without end': beat(
    Buffer.concat([Buffer.from(UPGRADE('/v1/relay')), frame(MORE_BINARY, Buffer.alloc(1))]),
    Buffer.concat(Array(100).fill(frame(CONTINUED, Buffer.alloc(1)))),
    50,
  ),
  'pings without end': beat(
    UPGRADE('/v1/relay'),
    Buffer.concat(Array(100).fill(frame(PING, Buffer.alloc(125)))),
    50,
  ),
  'JSON as deep as it goes': once(
    Buffer.concat([Buffer.from(UPGRADE('/v1/rendezvous')), frame(TEXT, Buffer.from('['.repeat(60_000)))]),
  ),
  'meetings by the dozen': once(
    Buffer.concat([Buffer.from(UPGRADE('/v1/rendezvous')), frame(TEXT, Buffer.from('{"t":"host","v":2}'))]),
  ),
  'half of a STUN request': once(Buffer.of(0, 1, 0, 0x40)),
};

/** Comes again whenever it is cut off, no faster than ten times a second. */
function attacker(port: number, localAddress: string, begin: Begin, until: AbortSignal): void {
  if (until.aborted) return;
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  socket.on('error', () => {});
  // What it is told is never read by some, so that it stays where it is.
  if (begin !== ATTACKS['requests without end, and nobody who reads']) socket.resume();
  socket.once('connect', () => begin(socket, until));
  const stop = () => socket.destroy();
  until.addEventListener('abort', stop);
  socket.once('close', () => {
    until.removeEventListener('abort', stop);
    setTimeout(() => attacker(port, localAddress, begin, until), 100);
  });
}

/** @param index of the address: 127.77.0.0/16 has them */
const addressOf = (index: number) => `127.77.${index >> 8}.${index & 255 || 1}`;

/** All kinds of attack at once, or those named. */
export function attack(
  target: Target,
  { addresses, each }: Force,
  until: AbortSignal,
  kinds: readonly string[] = Object.keys(ATTACKS),
): void {
  for (let address = 0; address < addresses; address++)
    for (const kind of kinds)
      for (let i = 0; i < each; i++) attacker(target.port, addressOf(address), ATTACKS[kind]!, until);
  for (let address = 0; address < addresses; address++)
    attacker(target.second, addressOf(address), ATTACKS['says nothing']!, until);
  const udp = createSocket('udp4');
  const junk = Buffer.concat([Buffer.from('000100002112a442', 'hex'), Buffer.alloc(12)]);
  const timer = setInterval(() => {
    for (let i = 0; i < 50; i++) udp.send(junk, target.port, '127.0.0.1');
  }, 10);
  until.addEventListener('abort', () => {
    clearInterval(timer);
    udp.close();
  });
}
