/**
 * What is served, as an HTTP application: who may come in, which file or folder is meant, and what the answer is (RFC 9110). It knows
 * nothing of disks: a `ServedTree` has the files. Answers go past the framework into Node's response, the bytes of files as they are read.
 */
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { type Context, Hono } from 'hono';
import { addressKey } from '../../base/addresses.ts';
import type { TokenBucket } from '../../base/bucket.ts';
import { realClock } from '../../base/clock.ts';
import { codeOf } from '../../base/errors.ts';
import { clientAddress } from '../../server/address.ts';
import type { Front } from '../../server/front.ts';
import { isEncrypted, pathOf } from '../../server/page.ts';
import { securityHeaders } from '../../server/security-headers.ts';
import type { Access } from './access.ts';
import type { Allowance } from './allowance.ts';
import { ARCHIVE_TYPES, type ArchiveKind, archiveLength, archiveOf } from './archive.ts';
import { checkConditions, rangeApplies, validatorsOf } from './conditions.ts';
import { multipartOf, pourSpan } from './content.ts';
import { type FileDigests, wantsSha256 } from './digests.ts';
import { LISTING_POLICY, listingPage, MOST_LISTED, readQuery } from './listing.ts';
import { Outlet, OutletClosed } from './outlet.ts';
import { pathText, readPath } from './paths.ts';
import { dispositionOf, presentationOf } from './presentation.ts';
import { type ByteSpan, readRange } from './ranges.ts';
import type { ServingRecords } from './records.ts';
import type { ServedNode, ServedTree } from './tree.ts';

/** What stands before everything. */
export interface GateParts {
  access: Access;
  records: ServingRecords;
  /** Client addresses come from X-Forwarded-For. */
  trustProxy?: boolean;
  /** Nothing more is begun. */
  over?: () => boolean;
}

export interface ServingParts extends Omit<GateParts, 'over'> {
  tree: ServedTree;
  allowance: Allowance;
  digests: FileDigests;
  /** Of the port that requests come in at. */
  front: () => Front;
  /** Bytes a second of all files and archives together. */
  limit?: TokenBucket | undefined;
}

export interface ServingEnv {
  Bindings: HttpBindings;
  Variables: {
    /** The path behind the link's secret, as it was sent: it begins with a slash. */
    rest: string;
    /** Whose the request is. */
    address: string;
    /** Bytes of the body so far, of a file or an archive. */
    written: () => number;
  };
}
export type ServingApp = Hono<ServingEnv>;
type Asked = Context<ServingEnv>;

const ALLOW = 'GET, HEAD, OPTIONS';
/** Seconds after which it may be tried again. */
const CROWDED_S = 10;
const RESERVED_S = 60;

export function servingApp(parts: ServingParts): ServingApp {
  const app = gatedApp({ ...parts, over: () => parts.allowance.over(realClock.now()) });
  // HEAD is a GET to the framework.
  app.get('*', (c) => answer(parts, c));
  app.options('*', (c) => say(c, 204, '', { allow: ALLOW }));
  app.all('*', (c) => say(c, 405, 'This is for reading only.\n', { allow: ALLOW, connection: 'close' }));
  return app;
}

/** An application that whoever comes in has shown to be allowed to, that keeps records, and that has no answers yet. */
export function gatedApp({ access, records, trustProxy = false, over = () => false }: GateParts): ServingApp {
  const app: ServingApp = new Hono();
  app.use('*', async (c, next) => {
    const { incoming, outgoing } = c.env;
    const address = clientAddress(incoming, trustProxy);
    const path = pathOf(incoming);
    const began = realClock.now();
    // The parser takes the first one, and a proxy may have taken the last (RFC 9112, 3.2).
    if (hostsOf(incoming) > 1) return say(c, 400, 'One Host, please.\n', { connection: 'close' });
    const admission = access.admit({
      path,
      host: incoming.headers.host,
      authorization: incoming.headers.authorization,
      key: addressKey(address),
      now: began,
    });
    if ('refused' in admission) {
      outgoing.once('close', () => records.refused(address, outgoing.statusCode));
      return refuse(c, admission);
    }
    outgoing.once('close', () =>
      records.answered({
        method: incoming.method ?? '',
        path: access.masked(path),
        status: outgoing.statusCode,
        address,
        bytes: c.get('written')?.() ?? 0,
        ms: Math.round(realClock.now() - began),
        broken: !outgoing.writableFinished,
      }),
    );
    if (isForeign(incoming)) return say(c, 403, 'Another site may link here, but not load from here.\n');
    if (admission.rest === '') return lead(c, `${access.prefix}/`);
    if (over()) return say(c, 410, 'This is not served any more.\n');
    c.set('rest', admission.rest);
    c.set('address', address);
    return next();
  });
  app.onError((error, c) => {
    records.failed(access.masked(pathOf(c.env.incoming)), error);
    if (!c.env.outgoing.headersSent) return say(c, 500, 'Something went wrong here.\n');
    c.env.outgoing.destroy();
    return RESPONSE_ALREADY_SENT;
  });
  return app;
}

const queryOf = ({ url = '' }: IncomingMessage): URLSearchParams =>
  new URLSearchParams(url.includes('?') ? url.slice(url.indexOf('?')) : '');

const hostsOf = ({ rawHeaders }: IncomingMessage): number =>
  rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'host').length;

/** A browser says that another site's page loads this, not that a person goes here. Nothing of ours is of use to it. */
function isForeign({ headers }: IncomingMessage): boolean {
  return headers['sec-fetch-site'] === 'cross-site' && headers['sec-fetch-mode'] !== 'navigate';
}

/** What every answer says to a browser. @param policy its content security policy; default: nothing is loaded */
export function headersFor({ env: { incoming } }: Asked, policy?: string): OutgoingHttpHeaders {
  return {
    ...securityHeaders(isEncrypted(incoming), incoming.headers.host),
    'content-security-policy': policy ?? "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    'cache-control': 'no-store',
  };
}

/** A short answer in words. It repeats nothing of the request. */
export function say(c: Asked, status: number, text: string, headers: OutgoingHttpHeaders = {}): Response {
  const { incoming, outgoing } = c.env;
  const empty = status === 204 || status === 304;
  outgoing.writeHead(status, {
    ...headersFor(c),
    ...(!empty && { 'content-type': 'text/plain; charset=utf-8', 'content-length': Buffer.byteLength(text) }),
    // A body that nobody reads would otherwise be waited for.
    ...(hasBody(incoming) && { connection: 'close' }),
    ...headers,
  });
  outgoing.end(empty || incoming.method === 'HEAD' ? undefined : text);
  return RESPONSE_ALREADY_SENT;
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';

function lead(c: Asked, location: string): Response {
  return say(c, 308, 'It is a folder: its address ends with a slash.\n', { location });
}

type Refusal = Exclude<ReturnType<Access['admit']>, { rest: string }>;

function refuse(c: Asked, refusal: Refusal): Response {
  switch (refusal.refused) {
    case 'unauthorized':
      return say(c, 401, 'A password is needed.\n', {
        'www-authenticate': 'Basic realm="Beeline", charset="UTF-8"',
      });
    case 'guessing':
      return say(c, 429, 'Too many wrong tries.\n', {
        'retry-after': String(refusal.seconds),
        connection: 'close',
      });
    case 'host':
      return say(c, 421, 'This is not served under that name. Use the address that the server shows.\n');
    default:
      return say(c, 404, NOTHING);
  }
}

const NOTHING = 'There is nothing here.\n';

async function answer(parts: ServingParts, c: Asked): Promise<Response> {
  const { incoming } = c.env;
  if (hasBody(incoming)) return say(c, 400, 'A request to read has no body.\n', { connection: 'close' });
  const path = readPath(c.get('rest'));
  const node = path && (await look(parts.tree, path.names));
  if (!node) return say(c, 404, NOTHING);
  if (node === 'forbidden') return say(c, 403, 'This may not be read.\n');
  const query = queryOf(incoming);
  if (node.kind === 'file') return path.folder ? say(c, 404, NOTHING) : sendFile(parts, c, node, query);
  if (!path.folder) {
    const search = query.size > 0 ? `?${query}` : '';
    return lead(c, `${parts.access.prefix}${pathText(node.path)}/${search}`);
  }
  if (query.has('zip')) return sendArchive(parts, c, node, 'zip');
  if (query.has('tar')) return sendArchive(parts, c, node, 'tar');
  return sendListing(parts, c, node, query);
}

async function look(
  tree: ServedTree,
  names: readonly string[],
): Promise<ServedNode | 'forbidden' | undefined> {
  try {
    return await tree.look(names);
  } catch (error) {
    if (isForbidden(error)) return 'forbidden';
    throw error;
  }
}

const isForbidden = (error: unknown): boolean => ['EACCES', 'EPERM'].includes(codeOf(error));

async function sendListing(
  { tree, front }: ServingParts,
  c: Asked,
  node: ServedNode,
  query: URLSearchParams,
): Promise<Response> {
  const { incoming, outgoing } = c.env;
  const release = front().hold(incoming.socket);
  if (!release) return crowded(c);
  outgoing.once('close', release);
  try {
    const listed = await tree.list(node, MOST_LISTED);
    const page = listingPage({ node, ...listed, root: node.path.length === 0 }, readQuery(query));
    return say(c, 200, page, {
      'content-security-policy': LISTING_POLICY,
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'private, no-cache',
      // For `beeline receive`, which would have to save this page.
      link: `<?zip>; rel="alternate"; type="${ARCHIVE_TYPES.zip}"`,
    });
  } catch (error) {
    if (isForbidden(error)) return say(c, 403, 'This may not be read.\n');
    throw error;
  }
}

export function crowded(c: Asked): Response {
  return say(c, 503, 'Too many are being served. Try again in a moment.\n', {
    'retry-after': String(CROWDED_S),
  });
}

async function sendFile(
  parts: ServingParts,
  c: Asked,
  node: ServedNode,
  query: URLSearchParams,
): Promise<Response> {
  const { incoming, outgoing } = c.env;
  const { headers, method } = incoming;
  const { size } = node;
  const { type, disposition, policy } = presentationOf(node.name, query.has('download'));
  const validators = validatorsOf(node.tag, node.mtime, realClock.date());
  const digest = parts.digests.header(node, wantsSha256(single(headers['want-repr-digest'])));
  const common: OutgoingHttpHeaders = {
    ...headersFor(c, policy),
    'cache-control': 'private, no-cache, no-transform',
    etag: validators.etag,
    ...(validators.modified !== undefined && {
      'last-modified': new Date(1000 * validators.modified).toUTCString(),
    }),
    'accept-ranges': 'bytes',
    ...(digest !== undefined && { 'repr-digest': digest }),
  };
  const condition = checkConditions(headers, validators);
  if (condition === 304) return say(c, 304, '', common);
  if (condition === 412) return say(c, 412, 'The file is not the one that was meant.\n');
  const ranged = method === 'GET' && rangeApplies(single(headers['if-range']), validators);
  const spans = ranged ? readRange(headers.range, size) : 'whole';
  if (spans === 'none')
    return say(c, 416, `The file has ${size} bytes.\n`, {
      'content-range': `bytes */${size}`,
      'accept-ranges': 'bytes',
    });
  const several = spans !== 'whole' && spans.length > 1 ? multipartOf(spans, size, type) : undefined;
  const wanted = spans === 'whole' ? [{ from: 0, end: size }] : spans;
  const [first] = wanted;
  const whole = { ...common, 'content-disposition': disposition };
  const head: OutgoingHttpHeaders = several
    ? { ...whole, 'content-type': several.type, 'content-length': several.length }
    : {
        ...whole,
        'content-type': type,
        'content-length': first!.end - first!.from,
        ...(spans !== 'whole' && { 'content-range': `bytes ${first!.from}-${first!.end - 1}/${size}` }),
      };
  const status = spans === 'whole' ? 200 : 206;
  if (method === 'HEAD') {
    outgoing.writeHead(status, head).end();
    return RESPONSE_ALREADY_SENT;
  }
  return deliver(parts, c, node, size, async () => {
    const file = await parts.tree.open(node);
    return {
      status,
      head,
      bytes: wanted.reduce((sum, { from, end }) => sum + end - from, 0),
      close: () => file.close(),
      async pour(outlet) {
        for (const [part, span] of wanted.entries()) {
          if (several) await outlet.write(several.heads[part]!);
          await pourSpan(file, span, outlet);
        }
        if (several) await outlet.write(several.tail);
      },
      delivered: (written, ended) =>
        ended ? wanted : several ? [] : [{ from: first!.from, end: first!.from + written }],
    };
  });
}

async function sendArchive(
  parts: ServingParts,
  c: Asked,
  node: ServedNode,
  kind: ArchiveKind,
): Promise<Response> {
  const { outgoing, incoming } = c.env;
  const { tree } = parts;
  const head: OutgoingHttpHeaders = {
    ...headersFor(c),
    'content-type': ARCHIVE_TYPES[kind],
    'content-disposition': dispositionOf(`${node.name}.${kind}`, 'attachment'),
    // It is made anew each time, so that no part of one fits to another.
    'accept-ranges': 'none',
  };
  if (incoming.method === 'HEAD') {
    outgoing.writeHead(200, head).end();
    return RESPONSE_ALREADY_SENT;
  }
  return deliver(parts, c, node, null, async () => {
    const length = await archiveLength(tree, node, kind);
    return {
      status: 200,
      head: { ...head, ...(length !== undefined && { 'content-length': length }) },
      bytes: length ?? 0,
      close: async () => {},
      async pour(outlet) {
        for await (const piece of archiveOf(tree, node, kind)) await outlet.write(piece);
      },
      delivered: (_written, ended) => (ended ? [{ from: 0, end: 1 }] : []),
    };
  });
}

const single = (header: string | string[] | undefined): string | undefined =>
  Array.isArray(header) ? header.join(', ') : header;

interface Delivery {
  status: number;
  head: OutgoingHttpHeaders;
  bytes: number;
  pour(outlet: Outlet): Promise<void>;
  close(): Promise<void>;
  /** Which bytes of the file somebody has now, of so many written. @param ended all was written */
  delivered(written: number, ended: boolean): readonly ByteSpan[];
}

/** The bytes of a file or an archive, counted, recorded and bounded. @param size of the file; null for an archive */
async function deliver(
  parts: ServingParts,
  c: Asked,
  node: ServedNode,
  size: number | null,
  open: () => Promise<Delivery>,
): Promise<Response> {
  const { incoming, outgoing } = c.env;
  const { allowance, records, front, limit } = parts;
  const address = c.get('address');
  const what = `${addressKey(address)} ${node.tag} ${pathText(node.path)}`;
  const release = front().hold(incoming.socket);
  if (!release) return crowded(c);
  const count = allowance.begin(what, realClock.now());
  if (!count) {
    release();
    return say(c, 503, 'Others are having it. Try again in a minute.\n', {
      'retry-after': String(RESERVED_S),
    });
  }
  let delivery: Delivery;
  try {
    delivery = await open();
  } catch (error) {
    count(realClock.now(), [], 1);
    release();
    return unopened(parts, c, node, error);
  }
  const { tcp, plain } = front().wayOf(incoming.socket);
  const outlet = new Outlet(outgoing, tcp, { limit, secure: plain !== tcp });
  c.set('written', () => outlet.written);
  const path = pathText(node.path);
  const ended = records.begin({ path, address, bytes: delivery.bytes, size });
  const run = async () => {
    let ok = false;
    try {
      outgoing.writeHead(delivery.status, delivery.head);
      outgoing.flushHeaders();
      await delivery.pour(outlet);
      await outlet.end();
      ok = true;
    } catch (error) {
      if (!(error instanceof OutletClosed)) records.failed(path, error);
      outlet.break();
    }
    await delivery.close();
    const spans = delivery.delivered(outlet.written, ok);
    const whole = count(realClock.now(), spans, size ?? 1);
    ended(outlet.written, ok, whole);
    release();
  };
  void run();
  return RESPONSE_ALREADY_SENT;
}

/** Another file by now, gone, or not for this user: what a new look would say. */
function unopened({ records }: ServingParts, c: Asked, node: ServedNode, error: unknown): Response {
  if (isForbidden(error)) return say(c, 403, 'This may not be read.\n');
  records.failed(pathText(node.path), error);
  return say(c, 503, 'The file changes right now. Try again.\n', { 'retry-after': '1' });
}
