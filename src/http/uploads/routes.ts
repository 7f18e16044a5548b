/**
 * An inbox over HTTP, below whatever path it is mounted at: a page to drop files onto, forms, PUT and tus. Who may get here
 * at all is decided before.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { HttpBindings } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import { pathOf } from '../../server/page.ts';
import { type FormAnswer, takeForm, takeStream } from './form.ts';
import { answersPage, type PageText, SCRIPT_NAME, STYLE, uploadPage, uploadScript } from './page.ts';
import { refusalOf, UploadRefusal } from './refusal.ts';
import { tusServer } from './tus.ts';
import type { Uploads } from './uploads.ts';

export interface UploadRoutesOptions {
  uploads: Uploads;
  /** The path at which the routes are mounted: '' or `/...`, without a `/` at its end. */
  mount: string;
  text: PageText;
  /** Who sent a request, for people. */
  clientOf: (incoming: IncomingMessage) => string;
}

/** As of the page in server/security-headers.ts, but for one style, and for the form. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "connect-src 'self'",
  // The page says that it has no icon; browsers would ask for one outside the link.
  'img-src data:',
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

type Env = { Bindings: HttpBindings };
const TUS = '/tus';

export function uploadRoutes({ uploads, mount, text, clientOf }: UploadRoutesOptions): Hono<Env> {
  const app = new Hono<Env>({
    getPath: ({ url }) => new URL(url).pathname.slice(mount.length) || '/',
  });
  const tus = tusServer(uploads, mount + TUS);

  app.use(async (c, next) => {
    if (c.req.method !== 'GET' && c.req.method !== 'HEAD' && isForeign(c.env.incoming))
      return refuse(c, new UploadRefusal(403, 'A page of another site must not upload here.'));
    await next();
    c.header('content-security-policy', POLICY);
    c.header('cache-control', 'no-store');
  });
  app.get('/', async (c) => c.html(uploadPage(text, mount, (await uploadScript()) !== undefined)));
  app.get(`/${SCRIPT_NAME}`, async (c) => {
    const script = await uploadScript();
    if (script === undefined) return c.notFound();
    return c.body(script, 200, { 'content-type': 'text/javascript; charset=utf-8' });
  });
  app.post('/', async (c) => {
    const { incoming } = c.env;
    try {
      return showAnswers(c, await takeForm(incoming, uploads, clientOf(incoming)), text, mount);
    } catch (thrown) {
      return refuse(c, refusalOf(thrown));
    }
  });
  const viaTus = (c: Context<Env>) => tus(c.req.raw, clientOf(c.env.incoming));
  app.on(['POST', 'OPTIONS'], TUS, viaTus);
  // Hono takes HEAD for GET.
  app.on(['GET', 'PATCH', 'DELETE', 'OPTIONS'], `${TUS}/:id`, viaTus);
  app.put('/*', async (c) => {
    const { incoming } = c.env;
    try {
      const file = { path: putPath(incoming, mount), size: lengthOf(incoming) };
      // What is refused in the middle is still to be answered.
      const body = incoming.iterator({ destroyOnReturn: false });
      const name = await takeStream(file, body, uploads, clientOf(incoming));
      return c.text(`Saved as ${name}\n`, 201);
    } catch (thrown) {
      return refuse(c, refusalOf(thrown));
    }
  });
  return app;
}

/**
 * A browser sends this for a page of another origin, which the person may not know of (CSRF). What is no browser sends neither
 * header.
 */
function isForeign({ headers }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  const { origin, host } = headers;
  if (origin === undefined) return false;
  return !URL.canParse(origin) || new URL(origin).host !== host;
}

/** What a client that is refused may still send, and for how long (milliseconds): most read no answer before they have sent all. */
const MAX_LINGER_BYTES = 16 * 2 ** 20;
const MAX_LINGER = 10_000;

function refuse(c: Context<Env>, { status, message }: UploadRefusal): Response {
  if (status === 503) c.header('retry-after', '5');
  linger(c.env.incoming);
  return c.text(`${message}\n`, status as 400);
}

/** Closing at once would throw the answer away together with what is on its way here. */
function linger(incoming: IncomingMessage): void {
  if (incoming.complete) return;
  let bytes = 0;
  const end = () => incoming.destroy();
  const timer = setTimeout(end, MAX_LINGER);
  incoming.on('data', (piece: Uint8Array) => {
    bytes += piece.length;
    if (bytes > MAX_LINGER_BYTES) end();
  });
  incoming.on('error', () => {});
  incoming.once('close', () => clearTimeout(timer));
}

function showAnswers(
  c: Context<Env>,
  answers: readonly FormAnswer[],
  text: PageText,
  mount: string,
): Response | Promise<Response> {
  if (answers.length === 0) return refuse(c, new UploadRefusal(400, 'There was no file in the form.'));
  const status = answers.find(({ refusal }) => refusal)?.refusal?.status ?? 201;
  if (c.req.header('accept')?.includes('text/html'))
    return c.html(answersPage(text, answers, mount), status as 201);
  const lines = answers.map(({ name, refusal }) =>
    refusal ? `Refused ${name}: ${refusal.message}\n` : `Saved as ${name}\n`,
  );
  return c.text(lines.join(''), status as 201);
}

/** Bytes of the body; undefined if they come in pieces of which nobody knows how many. */
function lengthOf({ headers }: IncomingMessage): number | undefined {
  const length = headers['content-length'];
  // RFC 9110, 14.5: a part of a file must not be taken for the file.
  if (headers['content-range'] !== undefined)
    throw new UploadRefusal(400, 'Parts of a file are not taken by PUT. Resumable uploads go by tus.');
  if (length === undefined) return undefined;
  const bytes = Number(length);
  if (!Number.isSafeInteger(bytes)) throw new UploadRefusal(413, 'The file is too large.');
  return bytes;
}

/** The path of the file below the inbox, decoded once. */
function putPath(incoming: IncomingMessage, mount: string): string {
  const parts = pathOf(incoming)
    .slice(mount.length + 1)
    .split('/');
  const decoded = parts.map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      throw new UploadRefusal(400, 'The path is malformed.');
    }
  });
  if (decoded.some((part) => part === '' || part.includes('/')))
    throw new UploadRefusal(400, 'A file needs a name: PUT it to its own path.');
  return decoded.join('/');
}
