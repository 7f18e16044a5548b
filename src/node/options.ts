/** What a program gave to `send` and `receive`, looked at before anything is opened. All throw BeelineError USAGE. */

import { type BeelineError, fault } from '../base/errors.ts';
import { MAX_LANES, MAX_RECEIVERS, MAX_THREADS, MAX_WAIT } from '../base/limits.ts';
import { escapeName } from '../base/printable.ts';
import type { Source } from '../sync/ports.ts';
import { rendezvousUrl } from '../websocket/url.ts';
import { parseHostPort } from './addresses.ts';
import type { CommonOptions, DownloadOptions, Overwrite, ReceiveOptions, SendOptions, What } from './api.ts';
import { FolderTemplate } from './files/folder-template.ts';
import { isBytes, isLocked, isStream, type SendItem } from './items.ts';
import { checkNames } from './option-names.ts';

const RELAY: readonly (string | undefined)[] = ['auto', 'never', 'only'];
const UNREADABLE: readonly (string | undefined)[] = ['fail', 'skip'];
const OVERWRITE: readonly Overwrite[] = ['ask', 'skip', 'rename', 'replace', 'update'];

const shown = (value: unknown) =>
  escapeName(typeof value === 'string' ? `'${value.slice(0, 80)}'` : String(value));

function wrong(name: string, value: unknown, must: string): BeelineError {
  return fault('OPTION_WRONG', { name, value: shown(value), must });
}

/** An option that is absent is right. */
function check<T>(name: string, value: T | undefined, right: (value: T) => boolean, must: string): void {
  if (value !== undefined && !right(value)) throw wrong(name, value, must);
}

const isText = (value: unknown) => typeof value === 'string' && value !== '';
const isFunction = (value: unknown) => typeof value === 'function';
const isFlag = (value: unknown) => typeof value === 'boolean';
const within = (least: number, most: number) => (value: number) =>
  typeof value === 'number' && value >= least && value <= most;

function checkCommon(options: CommonOptions): void {
  const { lanes, limit, wait, relay, port, psk, receipt, threads } = options;
  check('lanes', lanes, (n) => Number.isInteger(n) && within(1, MAX_LANES)(n), `1 to ${MAX_LANES}`);
  check(
    'limit',
    limit,
    (bytes) => Number.isFinite(bytes) && bytes >= 1,
    'a number of bytes a second, 1 or more',
  );
  check('wait', wait, within(0, MAX_WAIT), `a number of seconds from 0 to ${MAX_WAIT}`);
  check('relay', relay, (way) => RELAY.includes(way), "'auto', 'never' or 'only'");
  check('threads', threads, (n) => Number.isInteger(n) && within(0, MAX_THREADS)(n), `0 to ${MAX_THREADS}`);
  check('port', port, (n) => Number.isInteger(n) && within(0, 65_535)(n), 'a port, 0 to 65535');
  check('psk', psk, (key) => key instanceof Uint8Array, 'a Uint8Array');
  check('receipt', receipt, (value) => isFlag(value) || isText(value), 'true, false or a path');
  for (const name of ['code', 'configDir'] as const)
    check(name, options[name], isText, 'a text, and not empty');
  for (const name of ['lan', 'portMap', 'quic', 'sha256', 'list'] as const)
    check(name, options[name], isFlag, 'true or false');
  const { dht } = options;
  const hosts = (value: typeof dht) =>
    typeof value === 'boolean' || (Array.isArray(value?.bootstrap) && value.bootstrap.every(isText));
  check('dht', dht, hosts, 'true, false or { bootstrap: [HOST:PORT, ...] }');
  if (typeof dht === 'object') for (const node of dht.bootstrap) parseHostPort(node);
  if (options.server !== undefined) rendezvousUrl(String(options.server));
  if (options.at !== undefined) parseHostPort(String(options.at));
}

export function checkSend(what: What, options: SendOptions): void {
  checkNames('send', options);
  const { text, items, store } = (what ?? {}) as { text?: unknown; items?: unknown; store?: Source };
  if (Array.isArray(what)) check('what', what as readonly string[], (paths) => paths.every(isText), 'paths');
  else if (store)
    check('what.store', store, ({ entries, read }) => Array.isArray(entries) && isFunction(read), 'a Source');
  else if (items !== undefined) checkItems(items);
  else if (typeof text !== 'string')
    throw wrong('what', what, 'an array of paths, { text }, { items } or { store }');
  checkCommon(options);
  const { device, receivers, until } = options;
  checkTrust(options, receivers !== undefined && receivers !== 1);
  check('device', device, (value) => [value].flat().every(isText) && value.length > 0, 'a name, or several');
  const counts = (n: unknown) =>
    n === 'any' || (Number.isInteger(n) && within(1, MAX_RECEIVERS)(n as number));
  check('receivers', receivers, counts, `1 to ${MAX_RECEIVERS}, or 'any'`);
  check('until', until, within(0, MAX_WAIT), `a number of seconds from 0 to ${MAX_WAIT}`);
  const stream = Array.isArray(what)
    ? what.includes('-') || options.zip === true
    : Array.isArray(items) && isStream(items[0]?.data);
  if (receivers === 'any' && stream)
    throw wrong('receivers', receivers, 'a number for a stream: it begins when all are there');
  if (options.http && (!Array.isArray(what) || what.includes('-')))
    throw wrong('http', true, 'left out for what is no file: a link needs something that can be read again');
  check('onUnreadable', options.onUnreadable, (way) => UNREADABLE.includes(way), "'fail' or 'skip'");
  for (const name of ['exclude', 'include'] as const)
    check(name, options[name], (list) => Array.isArray(list) && list.every(isText), 'an array of patterns');
  if (options.zip && (!Array.isArray(what) || what.includes('-') || options.http || options.links === 'keep'))
    throw wrong('zip', true, 'left out for what is no file, with `http`, and where links are kept');
  for (const name of ['update', 'web', 'http', 'swarm', 'gitignore', 'zip'] as const)
    check(name, options[name], isFlag, 'true or false');
  check('stdin', options.stdin, (given) => isFunction(given[Symbol.asyncIterator]), 'a readable stream');
}

function checkItems(items: unknown): void {
  check('items', items, Array.isArray, 'an array of { name, data }');
  for (const item of items as readonly Partial<SendItem>[]) {
    const { name, data, size, modified } = item ?? {};
    checkNames('send.items', item);
    if (typeof name !== 'string') throw wrong('items.name', name, 'a text');
    if (!isBytes(data) && !isStream(data))
      throw wrong('items.data', typeof data, 'a text, bytes, a Blob or a stream');
    if (isLocked(data)) throw wrong('items.data', 'a locked stream', 'a stream that nobody else reads');
    if (isStream(data) && (items as unknown[]).length > 1)
      throw wrong('items', name, 'alone, since it is a stream');
    check(
      'items.size',
      size,
      (n) => isStream(data) && Number.isSafeInteger(n) && n >= 0,
      'the bytes of a stream',
    );
    check('items.modified', modified, (at) => Number.isFinite(at?.getTime?.()), 'a Date');
  }
}

/** Who is trusted is one other side, whom a code has brought here. */
function checkTrust({ trust, psk, device }: SendOptions | ReceiveOptions, several = false): void {
  check('trust', trust, isText, 'a text, and not empty');
  if (trust !== undefined && (several || psk !== undefined || device !== undefined))
    throw fault('TRUST_NEEDS_CODE');
}

export function checkReceive(options: ReceiveOptions): void {
  checkNames('receive', options);
  checkCommon(options);
  checkTrust(options);
  check('device', options.device, isText, 'a text, and not empty');
  check('share', options.share, isFlag, 'true or false');
  checkTarget(options);
  // Without a decision nothing is accepted: who forgets it hears of it before anybody is looked for.
  const { accept } = options;
  if (accept !== 'all' && !isFunction(accept)) throw wrong('accept', accept, "'all', or a function");
}

export function checkDownload(options: DownloadOptions): void {
  checkNames('download', options);
  checkCommon(options);
  check('allowPrivate', options.allowPrivate, isFlag, 'true or false');
  checkTarget(options);
}

function checkTarget(
  options: Pick<ReceiveOptions, 'to' | 'within' | 'store' | 'stdout' | 'overwrite' | 'onConflict'>,
): void {
  check('to', options.to, isText, "a folder, or '-'");
  checkWithin(options);
  check('store', options.store, isFunction, 'a function that makes a Sink');
  check('stdout', options.stdout, (stream) => isFunction(stream.write), 'a writable stream');
  check('overwrite', options.overwrite, (way) => OVERWRITE.includes(way), `one of ${OVERWRITE.join(', ')}`);
  check('onConflict', options.onConflict, isFunction, 'a function');
}

export function checkListen(options: Pick<ReceiveOptions, 'to' | 'within'> & { http?: object }): void {
  checkNames('listen', options);
  checkNames('listen.http', options.http);
  checkWithin(options);
}

function checkWithin({ to, within, http }: Pick<ReceiveOptions, 'to' | 'within'> & { http?: unknown }): void {
  check('within', within, isText, 'a folder below `to`');
  if (within === undefined) return;
  if (to === '-') throw wrong('within', within, 'left out for a stream');
  if (http) throw wrong('within', within, 'left out with `http`, whose uploads all go into `to`');
  new FolderTemplate(within);
}
