/** HTTP without a client that mends what is sent: bytes out, bytes in. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

export interface Answer {
  status: number;
  /** Names in lower case. */
  headers: Record<string, string>;
  body: Buffer;
  /** All of it. */
  text: string;
}

export interface Ask {
  method?: string;
  path?: string;
  headers?: Record<string, string>;
  tls?: boolean;
}

/** One request on a connection of its own. */
export async function ask(
  port: number,
  { method = 'GET', path = '/', headers = {}, tls }: Ask,
): Promise<Answer> {
  const socket: Socket = tls
    ? connectTls({ port, host: '127.0.0.1', servername: 'meet.example', rejectUnauthorized: false })
    : connect(port, '127.0.0.1');
  const all = { host: `127.0.0.1:${port}`, connection: 'close', ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1');
  const parts: Buffer[] = [];
  socket.on('data', (part: Buffer) => parts.push(part));
  await once(socket, 'close');
  return parse(Buffer.concat(parts));
}

function parse(bytes: Buffer): Answer {
  const end = bytes.indexOf('\r\n\r\n');
  const [first = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.indexOf(':')).toLowerCase(),
      line.slice(line.indexOf(':') + 1).trim(),
    ]),
  );
  return {
    status: Number(first.split(' ')[1]),
    headers,
    body: bytes.subarray(end + 4),
    text: bytes.toString('latin1'),
  };
}
