/**
 * What RFC 9110 and RFC 9530 ask of a server of files, as a table of requests and what must come. `scripts/http-conformance.mjs` prints it
 * with what came; `conformance.test.ts` fails if anything else came. All of it goes over raw sockets, so that no client mends anything.
 */
import { createHash } from 'node:crypto';
import { utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Answer, ask } from '../../server/raw-http.ts';

const BODY = 'The quick brown fox jumps over the lazy dog.\n';
const SIZE = BODY.length;
/** Long enough ago that the time of the last change tells the file's states apart. */
const CHANGED = new Date('2025-03-04T05:06:07Z');
const DATE = CHANGED.toUTCString();
const LATER = 'Wed, 05 Mar 2025 05:06:07 GMT';
const EARLIER = 'Mon, 03 Mar 2025 05:06:07 GMT';
const RFC850 = 'Tuesday, 04-Mar-25 05:06:07 GMT';
const ASCTIME = 'Tue Mar  4 05:06:07 2025';
const DIGEST = `sha-256=:${createHash('sha256').update(BODY).digest('base64')}:`;

export interface ConformanceCase {
  /** Of RFC 9110, if no other is named. */
  clause: string;
  what: string;
  method?: string;
  path?: string;
  /** `{etag}` is the file's present tag. */
  headers?: Record<string, string>;
  status: number;
  /** Undefined as a value: the header must be absent. */
  has?: Record<string, string | RegExp | undefined>;
  body?: string;
}

const range = (text: string, more: Record<string, string> = {}) => ({ range: `bytes=${text}`, ...more });
const part = (from: number, to: number) => ({
  status: 206,
  has: { 'content-range': `bytes ${from}-${to}/${SIZE}`, 'content-length': String(to + 1 - from) },
  body: BODY.slice(from, to + 1),
});
const whole = {
  status: 200,
  has: { 'content-range': undefined, 'content-length': String(SIZE) },
  body: BODY,
};
const none = (status: number) => ({ status, body: '' });
const unsatisfiable = { status: 416, has: { 'content-range': `bytes */${SIZE}` } };

export const CASES: readonly ConformanceCase[] = [
  { clause: '9.3.1', what: 'GET gives the whole file', ...whole },
  { clause: '6.6.1', what: 'an answer has a Date', status: 200, has: { date: /GMT$/ } },
  {
    clause: '8.3',
    what: 'and the type of its content',
    status: 200,
    has: { 'content-type': /^text\/plain/ },
  },
  { clause: '8.8.3', what: 'and a strong entity tag', status: 200, has: { etag: /^"[\x21\x23-\x7e]+"$/ } },
  { clause: '8.8.2', what: 'and the time of its last change', status: 200, has: { 'last-modified': DATE } },
  { clause: '14.3', what: 'and says that it takes ranges', status: 200, has: { 'accept-ranges': 'bytes' } },
  {
    clause: '8.4',
    what: 'and is not compressed',
    headers: { 'accept-encoding': 'gzip, br' },
    status: 200,
    has: { 'content-encoding': undefined, 'content-length': String(SIZE) },
  },
  {
    clause: '9.3.2',
    what: 'HEAD gives the same head and no body',
    method: 'HEAD',
    status: 200,
    has: { 'content-length': String(SIZE), etag: /^"/, 'last-modified': DATE, 'accept-ranges': 'bytes' },
    body: '',
  },
  { clause: '9.3.2', what: 'HEAD of what is not there', method: 'HEAD', path: '/none', ...none(404) },
  {
    clause: '9.3.7',
    what: 'OPTIONS names the methods',
    method: 'OPTIONS',
    status: 204,
    has: { allow: 'GET, HEAD, OPTIONS' },
  },
  {
    clause: '15.5.6',
    what: 'another method is not allowed, and those that are, are named',
    method: 'DELETE',
    status: 405,
    has: { allow: 'GET, HEAD, OPTIONS' },
  },
  { clause: '15.5.6', what: 'nor is PUT', method: 'PUT', headers: { 'content-length': '0' }, status: 405 },
  { clause: '9.3.8', what: 'nor TRACE, which would send headers back', method: 'TRACE', status: 405 },
  { clause: '15.5.5', what: 'what is not there', path: '/none', status: 404 },
  {
    clause: '15.4.9',
    what: 'a folder without its slash leads to the one with it',
    path: '/sub',
    status: 308,
    has: { location: '/sub/' },
  },
  { clause: '4.2.3', what: 'a percent-encoded letter is that letter', path: '/%66ox.txt', ...whole },

  { clause: '14.1.2', what: 'the first bytes', headers: range('0-3'), ...part(0, 3) },
  { clause: '14.1.2', what: 'one byte', headers: range('5-5'), ...part(5, 5) },
  { clause: '14.1.2', what: 'from a byte to the end', headers: range('10-'), ...part(10, SIZE - 1) },
  {
    clause: '14.1.2',
    what: 'an end beyond the file is its end',
    headers: range('10-99999'),
    ...part(10, SIZE - 1),
  },
  { clause: '14.1.2', what: 'the last bytes', headers: range('-4'), ...part(SIZE - 4, SIZE - 1) },
  {
    clause: '14.1.2',
    what: 'more last bytes than there are: all',
    headers: range('-999'),
    ...part(0, SIZE - 1),
  },
  {
    clause: '14.1.2',
    what: 'a number that fits no integer',
    headers: range(`0-${'9'.repeat(300)}`),
    ...part(0, SIZE - 1),
  },
  { clause: '14.1', what: 'the unit in another case', headers: { range: 'BYTES=0-3' }, ...part(0, 3) },
  { clause: '15.5.17', what: 'a range behind the end', headers: range(`${SIZE}-`), ...unsatisfiable },
  { clause: '15.5.17', what: 'the last no bytes', headers: range('-0'), ...unsatisfiable },
  {
    clause: '15.5.17',
    what: 'any range of an empty file',
    path: '/empty',
    headers: range('0-'),
    status: 416,
    has: { 'content-range': 'bytes */0' },
  },
  {
    clause: '14.2',
    what: 'an empty file without a range',
    path: '/empty',
    status: 200,
    has: { 'content-length': '0' },
    body: '',
  },
  {
    clause: '14.2',
    what: 'a range of another unit is passed over',
    headers: { range: 'lines=0-1' },
    ...whole,
  },
  { clause: '14.2', what: 'a malformed one too', headers: range('a-b'), ...whole },
  { clause: '14.2', what: 'one that ends before it begins too', headers: range('5-4'), ...whole },
  {
    clause: '14.2',
    what: 'HEAD knows no ranges',
    method: 'HEAD',
    headers: range('0-3'),
    status: 200,
    has: { 'content-range': undefined, 'content-length': String(SIZE) },
    body: '',
  },
  {
    clause: '15.3.7.2',
    what: 'several ranges are parts of one body',
    headers: range('0-3,10-13'),
    status: 206,
    has: { 'content-type': /^multipart\/byteranges; boundary=[\w-]+$/, 'content-range': undefined },
    body: 'parts',
  },
  { clause: '15.3.7.2', what: 'several that touch are one', headers: range('0-3,4-7'), ...part(0, 7) },
  {
    clause: '15.3.7.2',
    what: 'of several the one that is in the file',
    headers: range('0-3,500-'),
    ...part(0, 3),
  },
  { clause: '14.2', what: 'overlapping ones are joined', headers: range('0-5,3-9,2-4'), ...part(0, 9) },
  {
    clause: '14.2',
    what: 'too many are passed over',
    headers: range(Array.from({ length: 17 }, (_, i) => `${2 * i}-${2 * i}`).join()),
    ...whole,
  },
  {
    clause: '5.6.1',
    what: 'empty elements of the list are passed over',
    headers: range(',0-3,'),
    ...part(0, 3),
  },

  {
    clause: '13.1.2',
    what: 'If-None-Match with the tag',
    headers: { 'if-none-match': '{etag}' },
    status: 304,
    has: { etag: /^"/, 'content-length': undefined },
    body: '',
  },
  { clause: '13.1.2', what: 'compares weakly', headers: { 'if-none-match': 'W/{etag}' }, ...none(304) },
  {
    clause: '13.1.2',
    what: 'takes a list',
    headers: { 'if-none-match': '"a", "b,c", {etag}' },
    ...none(304),
  },
  { clause: '13.1.2', what: 'and a star', headers: { 'if-none-match': '*' }, ...none(304) },
  { clause: '13.1.2', what: 'another tag', headers: { 'if-none-match': '"other"' }, ...whole },
  {
    clause: '13.1.2',
    what: 'the tag without its quotes is none',
    headers: { 'if-none-match': 'abc' },
    ...whole,
  },
  {
    clause: '13.1.3',
    what: 'If-Modified-Since with the time',
    headers: { 'if-modified-since': DATE },
    ...none(304),
  },
  { clause: '13.1.3', what: 'with a later one', headers: { 'if-modified-since': LATER }, ...none(304) },
  { clause: '13.1.3', what: 'with an earlier one', headers: { 'if-modified-since': EARLIER }, ...whole },
  { clause: '13.1.3', what: 'with what is no date', headers: { 'if-modified-since': 'yesterday' }, ...whole },
  { clause: '5.6.7', what: 'in the form of RFC 850', headers: { 'if-modified-since': RFC850 }, ...none(304) },
  { clause: '5.6.7', what: 'in that of asctime', headers: { 'if-modified-since': ASCTIME }, ...none(304) },
  {
    clause: '13.1.3',
    what: 'is passed over beside If-None-Match',
    headers: { 'if-none-match': '"other"', 'if-modified-since': DATE },
    ...whole,
  },
  { clause: '13.1.1', what: 'If-Match with the tag', headers: { 'if-match': '{etag}' }, ...whole },
  { clause: '13.1.1', what: 'with a star', headers: { 'if-match': '*' }, ...whole },
  { clause: '13.1.1', what: 'with another tag', headers: { 'if-match': '"other"' }, status: 412 },
  { clause: '13.1.1', what: 'compares strongly', headers: { 'if-match': 'W/{etag}' }, status: 412 },
  {
    clause: '13.1.4',
    what: 'If-Unmodified-Since with the time',
    headers: { 'if-unmodified-since': DATE },
    ...whole,
  },
  { clause: '13.1.4', what: 'with an earlier one', headers: { 'if-unmodified-since': EARLIER }, status: 412 },
  {
    clause: '13.1.4',
    what: 'is passed over beside If-Match',
    headers: { 'if-match': '{etag}', 'if-unmodified-since': EARLIER },
    ...whole,
  },
  {
    clause: '13.2.2',
    what: 'If-Match comes before If-None-Match',
    headers: { 'if-match': '"other"', 'if-none-match': '{etag}' },
    status: 412,
  },
  {
    clause: '13.2.2',
    what: 'and a 304 before a range',
    headers: range('0-3', { 'if-none-match': '{etag}' }),
    ...none(304),
  },
  {
    clause: '13.2.2',
    what: 'and a 412 before a range',
    headers: range('0-3', { 'if-match': '"other"' }),
    status: 412,
  },
  {
    clause: '13.2.1',
    what: 'conditions do not make a file that is not there',
    path: '/none',
    headers: { 'if-none-match': '*' },
    status: 404,
  },
  {
    clause: '13.1.2',
    what: 'HEAD has conditions too',
    method: 'HEAD',
    headers: { 'if-none-match': '{etag}' },
    ...none(304),
  },

  {
    clause: '13.1.5',
    what: 'If-Range with the tag',
    headers: range('0-3', { 'if-range': '{etag}' }),
    ...part(0, 3),
  },
  {
    clause: '13.1.5',
    what: 'with another tag: the whole file',
    headers: range('0-3', { 'if-range': '"other"' }),
    ...whole,
  },
  { clause: '13.1.5', what: 'with a weak tag', headers: range('0-3', { 'if-range': 'W/{etag}' }), ...whole },
  { clause: '13.1.5', what: 'with the time', headers: range('0-3', { 'if-range': DATE }), ...part(0, 3) },
  {
    clause: '13.1.5',
    what: 'with a later time, which is not exactly it',
    headers: range('0-3', { 'if-range': LATER }),
    ...whole,
  },
  { clause: '13.1.5', what: 'with what is neither', headers: range('0-3', { 'if-range': 'x' }), ...whole },
  {
    clause: '13.1.5',
    what: 'and a range that is not there: the whole file',
    headers: range(`${SIZE}-`, { 'if-range': '"other"' }),
    ...whole,
  },
  { clause: '13.1.5', what: 'without a range', headers: { 'if-range': '"other"' }, ...whole },

  {
    clause: 'RFC 6266',
    what: 'a name in ASCII',
    status: 200,
    has: { 'content-disposition': 'inline; filename="fox.txt"' },
  },
  {
    clause: 'RFC 8187',
    what: 'another one in UTF-8 too',
    path: '/f%C3%BCchse.bin',
    status: 200,
    has: { 'content-disposition': `attachment; filename="f_chse.bin"; filename*=UTF-8''f%C3%BCchse.bin` },
  },
  {
    clause: 'RFC 9530, 3',
    what: 'a digest that is known, of the whole file',
    path: '/fox.txt',
    headers: { 'want-repr-digest': 'sha-256=5' },
    status: 200,
    has: { 'repr-digest': DIGEST },
  },
  {
    clause: 'RFC 9530, 3',
    what: 'with a part too',
    headers: range('0-3'),
    status: 206,
    has: { 'repr-digest': DIGEST },
  },
  {
    clause: 'RFC 9530, 3',
    what: 'and with HEAD',
    method: 'HEAD',
    status: 200,
    has: { 'repr-digest': DIGEST },
  },

  { clause: '7.2', what: 'a request without a Host', headers: { host: '' }, status: 400 },
  {
    clause: 'RFC 9112, 3.2',
    what: 'two Host headers',
    headers: { Host: '127.0.0.1', host: '127.0.0.1' },
    status: 400,
  },
];

/** Makes the files that the cases are about. */
export function makeFiles(root: string, makeFolder: (path: string) => void): void {
  makeFolder(join(root, 'sub'));
  for (const [name, text] of [
    ['fox.txt', BODY],
    ['empty', ''],
    ['füchse.bin', 'x'],
  ] as const) {
    writeFileSync(join(root, name), text);
    utimesSync(join(root, name), CHANGED, CHANGED);
  }
}

export interface CaseResult {
  row: ConformanceCase;
  /** What was wrong; empty if all is as it must be. */
  wrong: string[];
  status: number;
}

/** @param digestKnown resolves once the server says the digest of the fox */
export async function runCases(port: number): Promise<CaseResult[]> {
  const head = await ask(port, { method: 'HEAD', path: '/fox.txt' });
  const etag = head.headers.etag ?? '';
  await digestOf(port);
  const results: CaseResult[] = [];
  for (const row of CASES) {
    const headers = Object.fromEntries(
      Object.entries(row.headers ?? {}).map(([name, value]) => [name, value.replace('{etag}', etag)]),
    );
    const answer = await ask(port, { method: row.method ?? 'GET', path: row.path ?? '/fox.txt', headers });
    results.push({ row, wrong: compare(row, answer), status: answer.status });
  }
  return results;
}

/** It is computed once somebody wants it. */
async function digestOf(port: number): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    const { headers } = await ask(port, { path: '/fox.txt', headers: { 'want-repr-digest': 'sha-256=5' } });
    if (headers['repr-digest'] !== undefined) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function compare({ status, has = {}, body }: ConformanceCase, answer: Answer): string[] {
  const wrong: string[] = [];
  if (answer.status !== status) wrong.push(`status ${answer.status}`);
  for (const [name, value] of Object.entries(has)) {
    const got = answer.headers[name];
    const fits = value instanceof RegExp ? value.test(got ?? '') : got === value;
    if (!fits) wrong.push(`${name}: ${got ?? 'absent'}`);
  }
  const expected = body === 'parts' ? partsOf(answer) : body;
  if (expected !== undefined && answer.body.toString() !== expected)
    wrong.push(`body ${JSON.stringify(answer.body.toString())}`);
  return wrong;
}

/** The body of bytes 0-3 and 10-13, with the boundary that the answer has chosen. */
function partsOf({ headers }: Answer): string {
  const boundary = /boundary=(.*)$/.exec(headers['content-type'] ?? '')?.[1];
  const one = (from: number, to: number) =>
    `\r\n--${boundary}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-range: bytes ${from}-${to}/${SIZE}\r\n\r\n${BODY.slice(from, to + 1)}`;
  return `${one(0, 3)}${one(10, 13)}\r\n--${boundary}--\r\n`;
}

/** As docs/serve.md says how to print it. */
export function tableOf(results: readonly CaseResult[]): string {
  const rows = results.map(({ row, wrong, status }) => [
    row.clause,
    `${row.method ?? 'GET'}: ${row.what}`,
    String(status),
    wrong.length === 0 ? 'ok' : wrong.join('; '),
  ]);
  const wide = (column: number) => Math.max(...rows.map((cells) => cells[column]!.length));
  const lines = rows.map((cells) => cells.map((cell, i) => (i < 3 ? cell.padEnd(wide(i)) : cell)).join('  '));
  const failed = results.filter(({ wrong }) => wrong.length > 0).length;
  return `${lines.join('\n')}\n\n${results.length} cases, ${failed} failed\n`;
}
