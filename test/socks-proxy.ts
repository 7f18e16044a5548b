/** A SOCKS 5 proxy, on loopback if nothing else is said (RFC 1928, RFC 1929), which remembers what it was asked for. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface SocksProxy {
  port: number;
  /** `name:port`, with names as they were asked for. */
  asked: string[];
  /** `user:password` of each client that gave some. */
  users: string[];
  /** Resolves when the first client has connected. */
  reached: Promise<unknown>;
  close(): void;
}

export interface SocksAnswers {
  /** Who may use it, as `user:password`; absent: everybody. */
  user?: string;
  /** The reply to every request; 0, the default, opens the connection. */
  reply?: number;
  /** Says nothing at all. */
  silent?: boolean;
  /** Where names lead; default: to themselves. */
  names?: Record<string, string>;
  /** Where it listens. */
  at?: { host: string; port: number };
}

export async function socksProxy(answers: SocksAnswers = {}): Promise<SocksProxy> {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket) => {
    sockets.add(socket);
    return socket.on('error', () => socket.destroy()).once('close', () => sockets.delete(socket));
  };
  const front = createServer((client) => {
    keep(client);
    if (!answers.silent) serve(client, answers, it, keep).catch(() => client.destroy());
  });
  const { host, port } = answers.at ?? { host: '127.0.0.1', port: 0 };
  front.listen(port, host);
  await once(front, 'listening');
  const it: SocksProxy = {
    reached: once(front, 'connection'),
    port: (front.address() as AddressInfo).port,
    asked: [],
    users: [],
    close() {
      front.close();
      for (const socket of sockets) socket.destroy();
    },
  };
  return it;
}

async function serve(
  client: Socket,
  { user, reply = 0, names = {} }: SocksAnswers,
  it: SocksProxy,
  keep: (socket: Socket) => Socket,
): Promise<void> {
  const take = reader(client);
  const [, methods = 0] = await take(2);
  const offered = await take(methods);
  const method = user === undefined ? 0 : 2;
  if (!offered.includes(method)) return void client.end(Buffer.from([5, 0xff]));
  client.write(Buffer.from([5, method]));
  if (method === 2) {
    const [, length = 0] = await take(2);
    const name = (await take(length)).toString();
    const [more = 0] = await take(1);
    const given = `${name}:${(await take(more)).toString()}`;
    it.users.push(given);
    client.write(Buffer.from([1, given === user ? 0 : 1]));
    if (given !== user) return void client.end();
  }
  const [, , , kind = 0] = await take(4);
  const length = kind === 3 ? (await take(1))[0]! : kind === 4 ? 16 : 4;
  const address = await take(length);
  const port = (await take(2)).readUInt16BE();
  const host = kind === 3 ? address.toString() : kind === 1 ? [...address].join('.') : '::1';
  it.asked.push(`${host}:${port}`);
  client.write(Buffer.from([5, reply, 0, 1, 0, 0, 0, 0, 0, 0]));
  if (reply !== 0) return void client.end();
  const upstream = keep(connect(port, names[host] ?? host));
  client.pipe(upstream).pipe(client);
  client.on('close', () => upstream.destroy());
  upstream.on('close', () => client.destroy());
  const rest = client.read() as Buffer | null;
  if (rest) upstream.write(rest);
}

/** Exactly so many bytes; the rest stays in the stream. */
function reader(client: Socket): (bytes: number) => Promise<Buffer> {
  return async (bytes) => {
    if (bytes === 0) return Buffer.alloc(0);
    for (;;) {
      const got = client.read(bytes) as Buffer | null;
      if (got) return got;
      if (client.readableEnded || client.destroyed) throw new Error('the client left');
      await new Promise<void>((resolve) => {
        client.once('readable', resolve);
        client.once('close', resolve);
      });
    }
  };
}
