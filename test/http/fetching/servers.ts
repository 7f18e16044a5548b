/** Servers for tests of fetching: one that does what HTTP says, and ways for it not to. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Remote, Transfer, TransferEvent } from '../../../src/node/api.ts';
import { download } from '../../../src/node/download.ts';

export const LENGTH = 5 * 1024 * 1024 + 123;
export const MODIFIED = 'Mon, 02 Jan 2023 03:04:05 GMT';

/** The same bytes for the same seed. */
export function content(seed: number, length = LENGTH): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed * 2_654_435_761 + 1;
  for (let at = 0; at + 4 <= length; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes.writeUInt32LE(state, at);
  }
  return bytes;
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export interface FileOptions {
  bytes?: Buffer;
  etag?: string | undefined;
  modified?: string | undefined;
  ranges?: boolean;
  headers?: Record<string, string>;
}

/** Answers as a good server does. @returns what it was asked for: undefined for all of it */
export function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { bytes = content(1), etag = '"one"', modified = MODIFIED, ranges = true, headers = {} }: FileOptions = {},
): void {
  const common = {
    ...(etag !== '' && { etag }),
    ...(modified !== '' && { 'last-modified': modified }),
    ...headers,
  };
  const match = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const condition = request.headers['if-range'];
  if (!match || !ranges || (condition !== undefined && condition !== etag && condition !== modified)) {
    response.writeHead(200, { ...common, 'content-length': bytes.length });
    return void response.end(bytes);
  }
  const from = Number(match[1]);
  const to = match[2] === '' ? bytes.length : Math.min(bytes.length, Number(match[2]) + 1);
  if (from >= bytes.length) {
    response.writeHead(416, { 'content-range': `bytes */${bytes.length}` });
    return void response.end();
  }
  response.writeHead(206, {
    ...common,
    'content-length': to - from,
    'content-range': `bytes ${from}-${to - 1}/${bytes.length}`,
  });
  response.end(bytes.subarray(from, to));
}

export interface Served {
  readonly url: string;
  readonly port: number;
  readonly requests: IncomingMessage[];
  /** Ends every connection, and the server. */
  close(): void;
}

type Handler = (request: IncomingMessage, response: ServerResponse, served: Served) => void;

export async function serve(
  t: TestContext,
  handle: Handler = (request, response) => answer(request, response),
  port = 0,
): Promise<Served> {
  const requests: IncomingMessage[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((request, response) => {
    requests.push(request);
    response.on('error', () => {});
    handle(request, response, served);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
  });
  const close = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  t.after(close);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const at = (server.address() as AddressInfo).port;
  const served: Served = { url: `http://127.0.0.1:${at}/folder/file.bin`, port: at, requests, close };
  return served;
}

export function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'beeline-fetch-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** What is in a folder, without what unfinished transfers keep there. */
export function names(path: string): string[] {
  return readdirSync(path).filter((name) => !name.startsWith('.beeline-'));
}

type What = string | Remote | readonly (string | Remote)[];

export function fetchInto(
  t: TestContext,
  to: string,
  what: What,
  options: Parameters<typeof download>[1] = {},
): { transfer: Transfer; events: TransferEvent[] } {
  const transfer = download(what, {
    to,
    configDir: join(to, '..', 'config'),
    overwrite: 'replace',
    ...options,
  });
  const events: TransferEvent[] = [];
  transfer.subscribe((event) => events.push(event));
  t.after(() => transfer.cancel());
  return { transfer, events };
}
