/**
 * The built page, whole in memory with its compressed forms: it is small, and so no path of a request ever gets near the
 * disk. A new build is served after a restart.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, gzip, constants as zlib } from 'node:zlib';
import { BeelineError, fault } from '../base/errors.ts';
import type { Encoding } from './negotiate.ts';

export interface PageFile {
  readonly type: string;
  readonly cache: string;
  /** Of the content; each encoding's entity tag is made of it. */
  readonly hash: string;
  /** `identity` always; the others where they are smaller. */
  readonly bodies: ReadonlyMap<Encoding, Buffer>;
}

/** By the path of a request, `/` for index.html. Empty: there is no page. */
export type PageFiles = ReadonlyMap<string, PageFile>;

const MAX_FILES = 256;
/** Bytes, all together: a page that is larger than this is another folder, named by mistake. */
const MAX_BYTES = 16 * 2 ** 20;

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
};
const COMPRESSED_ALREADY = new Set(['.png', '.woff2']);
/** Plain names only; what begins with a dot is none of the page. */
const SERVED = /^\/(?:[\w-][\w.-]*\/)*[\w-][\w.-]*$/;
/** As Vite names what never changes under its name. */
const HASHED = /^\/assets\/(?:.*\/)?[^/]+-[\w-]{8}\.\w+$/;

/**
 * Where the build puts the page: dist/web, seen from dist/server and from dist/chunks. Run from its sources, the project
 * has none there.
 */
export const builtPage = (): string => fileURLToPath(new URL('../web/', import.meta.url));

export async function hasPage(folder: string): Promise<boolean> {
  return stat(join(folder, 'index.html')).then(
    (found) => found.isFile(),
    () => false,
  );
}

/** Tells the page that nobody may send from here: it then offers to receive only. */
export function receivingOnly(html: string): string {
  return html.replace(/<head>/i, '$&<meta name="beeline-use" content="receive">');
}

/**
 * Empty for a folder without index.html.
 * @param use 'receive': nobody may host a meeting here
 * @throws BeelineError USAGE for one that is no page, UNREADABLE
 */
export async function loadPage(folder: string, use: 'all' | 'receive' = 'all'): Promise<PageFiles> {
  if (!(await hasPage(folder))) return new Map();
  try {
    return await load(folder, use);
  } catch (cause) {
    if (cause instanceof BeelineError) throw cause;
    throw fault('FILE_UNREADABLE', { path: `The page in ${folder}`, why: String(cause) }, { cause });
  }
}

async function load(folder: string, use: 'all' | 'receive'): Promise<PageFiles> {
  const found = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((file) => ({ file, path: `/${relative(folder, file).split(sep).join('/')}` }))
    .filter(({ path }) => SERVED.test(path));
  const sizes = await Promise.all(found.map(async ({ file }) => (await stat(file)).size));
  if (found.length > MAX_FILES || sizes.reduce((sum, size) => sum + size, 0) > MAX_BYTES)
    throw fault('PAGE_TOO_LARGE', { folder, files: MAX_FILES, size: MAX_BYTES / 2 ** 20 });
  const files = await Promise.all(found.map(({ file, path }) => prepare(file, path, use)));
  return new Map(files.map((each, i) => [found[i]!.path === '/index.html' ? '/' : found[i]!.path, each]));
}

async function prepare(file: string, path: string, use: 'all' | 'receive'): Promise<PageFile> {
  const read = await readFile(file);
  const marked = use === 'receive' && path === '/index.html';
  const content = marked ? Buffer.from(receivingOnly(read.toString())) : read;
  const bodies = new Map<Encoding, Buffer>([['identity', content]]);
  if (!COMPRESSED_ALREADY.has(extname(path))) {
    // Beyond 9 brotli takes ten times as long for one twentieth less.
    const params = { [zlib.BROTLI_PARAM_QUALITY]: 9, [zlib.BROTLI_PARAM_SIZE_HINT]: content.length };
    const br = await promisify(brotliCompress)(content, { params });
    const zipped = await promisify(gzip)(content, { level: 9 });
    if (br.length < content.length) bodies.set('br', br);
    if (zipped.length < content.length) bodies.set('gzip', zipped);
  }
  return {
    type: TYPES[extname(path)] ?? 'application/octet-stream',
    cache: HASHED.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache',
    hash: createHash('sha256').update(content).digest('base64url').slice(0, 22),
    bodies,
  };
}
