/** Signals and options are looked at before anything is opened. */
import assert from 'node:assert/strict';
import { Server } from 'node:net';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import {
  deliver,
  diagnose,
  discard,
  download,
  listen,
  type ReceiveOptions,
  type Remote,
  receive,
  type SendItem,
  type SendOptions,
  send,
  serve,
  type Transfer,
  unfinished,
  verify,
} from '../../src/index.ts';
import type { What } from '../../src/node/api.ts';
import { failure, folder, start } from './meeting.ts';

const CODE = '7-velvet-canyon';

/** Fails the test when anything listens. */
function nothingListens(t: TestContext): void {
  const listen = t.mock.method(Server.prototype, 'listen');
  t.after(() => assert.equal(listen.mock.callCount(), 0, 'a port was opened'));
}

async function events(transfer: Transfer): Promise<string[]> {
  const names: string[] = [];
  for await (const { event } of transfer) names.push(event);
  return names;
}

test('a signal that is aborted already ends a send at once: no port, no code', async (t) => {
  nothingListens(t);
  const sender = send([import.meta.filename], { signal: AbortSignal.abort(), lan: false });
  assert.deepEqual(await events(sender), ['state', 'error']);
  await assert.rejects(sender.done, { code: 'INTERRUPTED' });
});

test('a signal that is aborted already ends a receive at once', async (t) => {
  nothingListens(t);
  const receiver = receive({ accept: 'all', code: CODE, to: folder(t), signal: AbortSignal.abort() });
  assert.deepEqual(await events(receiver), ['state', 'error']);
  await assert.rejects(receiver.done, { code: 'INTERRUPTED' });
});

test('an inbox refuses a template together with uploads, which it would not be for', async (t) => {
  nothingListens(t);
  const to = folder(t);
  const inbox = listen({ to, within: '{date}', http: {}, configDir: folder(t), lan: false });
  await assert.rejects(inbox.done, { code: 'USAGE', message: /`within`.*with `http`/ });
});

test('verify and diagnose look at their signal before anything else', async () => {
  const signal = AbortSignal.abort();
  await assert.rejects(verify('/no/such/receipt', '/no/such/tree', { signal }), { code: 'INTERRUPTED' });
  const checks: string[] = [];
  const onCheck = (name: string) => void checks.push(name);
  await assert.rejects(diagnose({ signal, onCheck }), { code: 'INTERRUPTED' });
  assert.deepEqual(checks, []);
});

test('every option is checked before a port is opened, and its error names it', async (t) => {
  nothingListens(t);
  const common: { [name: string]: unknown[] } = {
    lanes: [0, 65, 1.5, '4', Number.NaN],
    limit: [0, -1, Number.NaN, Number.POSITIVE_INFINITY, '1M'],
    wait: [-1, 2_000_001, 'x'],
    relay: ['sometimes'],
    port: [-1, 65_536, 0.5, '80'],
    psk: ['a text of sixteen'],
    receipt: [5, ''],
    lan: ['no'],
    portMap: [1],
    sha256: ['yes'],
    list: ['yes'],
    configDir: [''],
    server: ['nowhere', 'ftp://x'],
    at: ['nowhere', '1.2.3.4'],
    code: [7, '', 'no code'],
  };
  const ofSender = {
    onUnreadable: ['ignore'],
    update: ['yes'],
    web: ['yes'],
    stdin: [{}],
  };
  const ofReceiver = {
    to: ['', 5],
    stdout: [{}],
    overwrite: ['maybe'],
    onConflict: ['skip'],
    accept: [undefined, true, 'none', null],
  };
  const isWrong = async (transfer: Transfer, name: string, value: unknown) => {
    const error = await transfer.done.then(
      () => undefined,
      (thrown) => thrown,
    );
    assert.equal(error?.code, 'USAGE', `${name} = ${value}: ${error}`);
    if (!['server', 'at', 'code'].includes(name)) assert.match(error.message, new RegExp(`\`${name}\``));
  };
  for (const [name, values] of Object.entries({ ...common, ...ofSender }))
    for (const value of values)
      await isWrong(send([import.meta.filename], { lan: false, [name]: value } as SendOptions), name, value);
  for (const [name, values] of Object.entries({ ...common, ...ofReceiver }))
    for (const value of values)
      await isWrong(
        receive({ lan: false, accept: 'all', code: CODE, [name]: value } as ReceiveOptions),
        name,
        value,
      );
  for (const what of ['a', undefined, [5], [''], { text: 5 }, 7])
    await isWrong(send(what as unknown as What, { lan: false }), 'what', what);
  await isWrong(send(['-'], { stdin: Readable.from([]), stdinName: 'a/b' }), 'at', 'stdinName');
});

test('an offer is accepted by true alone: whoever forgets to answer has not said yes', async (t) => {
  for (const answer of [undefined, 'all', 1, false]) {
    const { sender, join: receiver } = await start(import.meta.filename);
    const receiving = receiver({ to: folder(t), accept: (() => answer) as unknown as () => boolean });
    const [sent, received] = await Promise.all([failure(sender), failure(receiving)]);
    assert.deepEqual([sent.code, received.code], ['REFUSED', 'REFUSED'], String(answer));
  }
});

test('a sender that nobody can find says where it listens', async (t) => {
  const warned = async (options: SendOptions) => {
    const stop = new AbortController();
    t.after(() => stop.abort());
    const transfer = send({ text: 'x' }, { lan: false, receipt: false, ...options, signal: stop.signal });
    const found: string[] = [];
    for await (const event of transfer) {
      if (event.event === 'warning') found.push(`${event.reason} ${event.message}`);
      if (event.event === 'code') stop.abort();
    }
    await transfer.done.catch(() => {});
    return found.filter((each) => each.startsWith('ONLY_AT_PORT'));
  };
  assert.match((await warned({})).join(), /It listens on port [1-9]\d+\.$/);
  assert.deepEqual(await warned({ at: '127.0.0.1:0' }), []);
});

test('an option of no name that there is is an error of each entry, with the nearest name', async (t) => {
  nothingListens(t);
  const mistyped = { sevrer: 'wss://h' } as object;
  const errors: readonly (readonly [string, Promise<unknown>, RegExp])[] = [
    ['send', send(['x'], mistyped).done, /no option `sevrer` of `send`\. Did you mean server\?/],
    [
      'receive',
      receive({ accept: 'all', code: CODE, ...mistyped }).done,
      /of `receive`\. Did you mean server/,
    ],
    ['download', download('http://127.0.0.1:9/x', mistyped).done, /of `download`\.$/],
    [
      'a file',
      download({ url: 'http://127.0.0.1:9/x', mirors: [] } as Remote).done,
      /Did you mean mirrors\?/,
    ],
    [
      'items',
      send({ items: [{ name: 'a', data: 'a', sise: 1 } as SendItem] }).done,
      /`sise` of `send\.items`\. .*size\?/,
    ],
    ['listen', listen({ to: 'x', ...mistyped }).done, /of `listen`\. Did you mean server/],
    [
      'uploads',
      listen({ to: 'x', http: { maxsize: 1 } as object }).done,
      /`listen\.http`\. Did you mean maxSize\?/,
    ],
    ['serve', serve(['x'], { hiden: true } as object), /of `serve`\. Did you mean hidden\?/],
    ['diagnose', diagnose(mistyped), /of `diagnose`\. Did you mean server\?/],
    ['deliver', deliver({ foldr: 'x' } as object).done, /of `deliver`\. Did you mean folder\?/],
    ['verify', verify('a', 'b', { onproblem: () => {} } as object), /of `verify`\. Did you mean onProblem\?/],
    [
      'unfinished',
      unfinished('.', { singal: undefined, sgnal: 1 } as object),
      /`sgnal` of `unfinished`\..*signal\?/,
    ],
    ['discard', discard({ path: 'x' }, { sgnal: 1 } as object), /of `discard`\. Did you mean signal\?/],
  ];
  for (const [name, done, message] of errors)
    await assert.rejects(done, { code: 'USAGE', reason: 'OPTION_UNKNOWN', message }, name);
});
