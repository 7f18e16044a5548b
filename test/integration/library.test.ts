/** Programs that use the built library as anybody would, each in a process of its own that has to end by itself. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';

const LIBRARY = new URL('../../dist/index.js', import.meta.url).href;
const BEGIN = `
import { send, receive } from ${JSON.stringify(LIBRARY)};
import { PassThrough, Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
const meet = (sender) => new Promise((resolve) => {
  let port;
  sender.subscribe((event) => {
    if (event.event === 'listening') port = event.port;
    if (event.event === 'code') resolve({ code: event.code, at: '127.0.0.1:' + port, lan: false });
  });
});
const near = { lan: false, at: '127.0.0.1:0' };
const say = (...words) => console.log(...words);
const code = (promise) => promise.then(() => 'done', (error) => error.code ?? error);
`;

/** What a program says; fails if it does not end by itself, or an exception or rejection ends it. */
async function says(program: string): Promise<string> {
  const args = ['--unhandled-rejections=strict', '--input-type=module', '-e', BEGIN + program];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 60_000 });
  return stdout.trim();
}

test('a stream goes to a stream through both ends in one process, which then ends by itself', async () => {
  const said = await says(`
    const bytes = Buffer.alloc(5_000_000, 'beeline');
    const sender = send(['-'], { ...near, stdin: Readable.from([bytes.subarray(0, 999_999), bytes.subarray(999_999)]) });
    const stdout = new PassThrough();
    const receiver = receive({ ...(await meet(sender)), to: '-', stdout, accept: 'all' });
    const parts = [];
    const reading = (async () => { for await (const part of stdout) parts.push(part); })();
    await Promise.all([sender.done, receiver.done, reading]);
    say(Buffer.concat(parts).equals(bytes), stdout.writableFinished);`);
  assert.equal(said, 'true true');
});

test('a stream that fails in the end, or whose transfer fails, is told of and never ends cleanly', async () => {
  const said = await says(`
    const sender = send(['-'], { ...near, stdin: Readable.from([Buffer.alloc(9)]) });
    const stdout = new Writable({ write: (_p, _e, done) => done(new Error('full')) });
    stdout.on('error', () => {});
    const receiver = receive({ ...(await meet(sender)), to: '-', stdout, accept: 'all' });
    say(await code(receiver.done), stdout.destroyed);
    sender.cancel();
    say(await code(sender.done));
    const never = new PassThrough();
    const reading = pipeline(never, async (source) => { for await (const _ of source); });
    const late = receive({ code: '7-velvet-canyon', at: '127.0.0.1:9', to: '-', stdout: never, accept: 'all', signal: AbortSignal.timeout(200) });
    say(await code(late.done), await code(reading));`);
  assert.match(
    said,
    /^WRITE_FAILED true\n(CANCELLED|PEER_FAILED|WRITE_FAILED)\n(INTERRUPTED|NO_PEER) ERR_STREAM_PREMATURE_CLOSE$/,
  );
});

test('nobody iterates, nobody awaits, and an abort in the middle leaves nothing running', async () => {
  const said = await says(`
    const ending = new AbortController();
    const endless = (async function* () { for (;;) yield Buffer.alloc(65_536); })();
    const sender = send(['-'], { ...near, stdin: endless });
    const receiver = receive({ ...(await meet(sender)), to: '-', stdout: new Writable({ write: (_p, _e, done) => done() }), accept: 'all', signal: ending.signal });
    receiver.subscribe((event) => { if (event.event === 'progress' && event.bytes > 0) ending.abort(); });
    for await (const { event } of receiver) if (event === 'error') say(event);
    sender.cancel();`);
  assert.equal(said, 'error');
});

test('the time in which a person decides is part of no duration, on either side', async () => {
  const said = await says(`
    const seconds = () => performance.now() / 1000;
    const sender = send(['-'], { ...near, stdin: Readable.from([Buffer.alloc(300_000)]) });
    let answered;
    const accept = async () => {
      await new Promise((resolve) => setTimeout(resolve, 1500));
      answered = seconds();
      return true;
    };
    const stdout = new Writable({ write: (_p, _e, done) => done() });
    const receiver = receive({ ...(await meet(sender)), to: '-', stdout, accept });
    const [there, here] = await Promise.all([sender.done, receiver.done]);
    const since = seconds() - answered;
    say(there.seconds > 0 && there.seconds <= since, here.seconds > 0 && here.seconds <= since);`);
  assert.equal(said, 'true true');
});

test('two transfers at once in one process keep apart', async () => {
  const said = await says(`
    const one = async (text) => {
      const sender = send({ text }, near);
      const receiver = receive({ ...(await meet(sender)), accept: 'all' });
      let got;
      for await (const event of receiver) if (event.event === 'text') got = event.text;
      await Promise.all([sender.done, receiver.done]);
      return got;
    };
    say(...(await Promise.all(['a', 'b', 'c'].map(one))));`);
  assert.equal(said, 'a b c');
});

test('bytes, texts and Blobs go under their names into a Map, and into a folder', async () => {
  const said = await says(`
    const { mkdtempSync, readFileSync, readdirSync, rmSync } = await import('node:fs');
    const { join } = await import('node:path');
    const { tmpdir } = await import('node:os');
    const big = Buffer.alloc(3_000_000, 'beeline');
    const items = [
      { name: 'b/text.txt', data: 'grüße' },
      { name: 'b/c/blob', data: new Blob([big]) },
      { name: 'a', data: new Uint8Array([1, 2, 3]), modified: new Date(86_400_000) },
      { name: 'empty', data: new ArrayBuffer(0) },
    ];
    const offered = [];
    const accept = (offer) => offered.push(offer.files, offer.bytes) > 0;
    const sender = send({ items }, near);
    const into = new Map();
    const receiver = receive({ ...(await meet(sender)), into, accept, sha256: true });
    await Promise.all([sender.done, receiver.done]);
    say(...offered, ...[...into].map(([name, bytes]) => name + '=' + bytes.length));
    say(Buffer.from(into.get('b/c/blob')).equals(big), Buffer.from(into.get('b/text.txt')).toString());
    const to = mkdtempSync(join(tmpdir(), 'beeline-items-'));
    const again = send({ items }, near);
    await Promise.all([again.done, receive({ ...(await meet(again)), to, accept: 'all' }).done]);
    say(readdirSync(to, { recursive: true }).sort().join(' '), readFileSync(join(to, 'b/text.txt'), 'utf8'));
    rmSync(to, { recursive: true });`);
  assert.equal(
    said,
    '4 3000010 a=3 b/c/blob=3000000 b/text.txt=7 empty=0\ntrue grüße\na b b/c b/c/blob b/text.txt empty grüße',
  );
});

test('each kind of stream goes into each kind of stream, and one that is too short fails', async () => {
  const said = await says(`
    const parts = () => [Buffer.alloc(1_500_000, 'a'), Buffer.alloc(1_500_000, 'b')];
    const streams = {
      readable: () => Readable.from(parts()),
      web: () => new ReadableStream({ start(controller) { for (const part of parts()) controller.enqueue(part); controller.close(); } }),
      generator: async function* () { yield* parts(); },
    };
    const whole = Buffer.concat(parts());
    for (const [name, make] of Object.entries(streams)) {
      const got = [];
      const into = name === 'web'
        ? new Writable({ write: (part, _e, done) => { got.push(part); done(); } })
        : name === 'readable' ? new WritableStream({ write: (part) => void got.push(part) }) : new Map();
      const sender = send({ items: [{ name, data: make(), size: whole.length }] }, near);
      await Promise.all([sender.done, receive({ ...(await meet(sender)), into, accept: 'all' }).done]);
      say(name, Buffer.concat(into instanceof Map ? [into.get(name)] : got).equals(whole));
    }
    for (const size of [10, 20]) {
      const sender = send({ items: [{ name: 'x', data: (async function* () { yield Buffer.alloc(15); })(), size }] }, near);
      const into = new Map();
      const receiver = receive({ ...(await meet(sender)), into, accept: 'all' });
      const failed = await code(sender.done);
      await code(receiver.done);
      say(failed, into.size);
    }`);
  assert.equal(said, 'readable true\nweb true\ngenerator true\nUNREADABLE 0\nUNREADABLE 0');
});

test('what cannot be sent or received into is refused before anybody is looked for', async () => {
  const said = await says(`
    const data = 'x';
    for (const items of [[], [{ name: '../x', data }], [{ name: 'x', data: 7 }], [{ name: 'x', data }, { name: 'x', data }],
      [{ name: 'x', data }, { name: 'x/y', data }], [{ name: 'x/y', data }, { name: 'x', data }],
      [{ name: 'x', data: Readable.from([]) }, { name: 'y', data }], [{ name: 'x', data, size: 1 }], 'x'])
      say(await code(send({ items }, near).done));
    const locked = new WritableStream();
    locked.getWriter();
    const guest = { code: '7-velvet-canyon', at: '127.0.0.1:9', lan: false, accept: 'all' };
    for (const wrong of [{ into: locked }, { into: {} }, { into: new Map(), to: '.' }])
      say(await code(receive({ ...guest, ...wrong }).done));`);
  assert.deepEqual(said.split('\n'), Array(12).fill('USAGE'));
});

test('a Map takes no more than fits into memory, whatever a sender says', async () => {
  const said = await says(`
    const huge = { path: 'huge', kind: 'file', size: 2 ** 31, mode: 0o644, mtime: 0, target: '', version: '' };
    const store = { kind: 'files', entries: [huge], length: huge.size, read: async () => 0, digests: async () => new Map(), close: async () => {} };
    const sender = send({ store }, near);
    const into = new Map();
    const receiver = receive({ ...(await meet(sender)), into, accept: 'all' });
    const failed = await receiver.done.catch((error) => error);
    say(failed.code, failed.reason, into.size, process.memoryUsage().arrayBuffers < 2 ** 28);
    // It waits for the other side to make room.
    sender.cancel();
    await code(sender.done);`);
  assert.equal(said, 'DISK_FULL MEMORY_TOO_SMALL 0 true');
});

test('an abort closes what is sent from and what is received into, and after `closed` nothing is left open', async () => {
  const said = await says(`
    const ending = new AbortController();
    let ended = false;
    const endless = async function* () { try { for (;;) yield Buffer.alloc(65_536); } finally { ended = true; } };
    const sender = send({ items: [{ name: 'endless', data: endless() }] }, { ...near, signal: ending.signal });
    const into = new Writable({ write: (_p, _e, done) => done() });
    into.on('error', () => {});
    const receiver = receive({ ...(await meet(sender)), into, accept: 'all', signal: ending.signal });
    receiver.subscribe((event) => { if (event.event === 'progress' && event.bytes > 0) ending.abort(); });
    say(await code(sender.done), await code(receiver.done));
    await Promise.all([sender.closed, receiver.closed]);
    await new Promise((resolve) => setImmediate(resolve));
    say(ended, into.destroyed);
    process.on('exit', () => say('ended by itself'));`);
  assert.equal(said, 'INTERRUPTED INTERRUPTED\ntrue true\nended by itself');
});

test('a stream that fails before anybody takes from it, or writes to it, ends its transfer and not the process', async () => {
  const said = await says(`
    const turn = () => new Promise((resolve) => setTimeout(resolve));
    const given = () => {
      const stream = new PassThrough();
      return [stream, () => stream.destroy(new Error('early'))];
    };
    const web = () => {
      let its;
      return [new ReadableStream({ start(it) { its = it; } }), () => its.error(new Error('early'))];
    };
    const wait = { accept: 'all', into: new Map() };
    for (const make of [given, web]) {
      const [data, fail] = make();
      const sender = send({ items: [{ name: 'a', data }] }, near);
      const met = await meet(sender);
      fail();
      await turn();
      const receiver = receive({ ...met, ...wait });
      say(await code(sender.done), typeof (await code(receiver.done)));
    }
    const taken = () => {
      const stream = new Writable({ write: (_p, _e, done) => done() });
      return [stream, () => stream.destroy(new Error('gone'))];
    };
    const webTaken = () => {
      let its;
      return [new WritableStream({ start(it) { its = it; } }), () => its.error(new Error('gone'))];
    };
    for (const make of [taken, webTaken]) {
      const [into, fail] = make();
      const sender = send({ items: [{ name: 'a', data: 'text' }] }, near);
      const accept = async () => {
        fail();
        await turn();
        return true;
      };
      const receiver = receive({ ...(await meet(sender)), into, accept });
      say(await code(receiver.done));
      // It would wait for the receiver to come back.
      sender.cancel();
      await code(sender.done);
    }`);
  assert.equal(said, 'UNREADABLE string\nUNREADABLE string\nWRITE_FAILED\nWRITE_FAILED');
});

test('what was given open is closed when a send ends before it has begun', async () => {
  const said = await says(`
    const ends = [
      [{ code: 'nonsense' }, 'a'],
      [{ lanes: 0 }, 'a'],
      [{ signal: AbortSignal.abort() }, 'a'],
      [{}, 'not/a/file'],
    ];
    const kinds = {
      stream: (closed) => new PassThrough().on('close', closed),
      web: (closed) => new ReadableStream({ cancel: closed }),
      iterator: (closed) => ({ [Symbol.asyncIterator]: () => ({ next: async () => ({ value: 'x' }), return: async () => (closed(), { done: true }) }) }),
    };
    for (const [options, name] of ends) {
      for (const [kind, make] of Object.entries(kinds)) {
        let closed;
        const ended = new Promise((resolve) => (closed = resolve));
        const transfer = send({ items: [{ name, data: make(closed) }] }, { ...near, ...options });
        const end = await code(transfer.done);
        await ended;
        say(kind, end);
      }
    }
    const stdin = new PassThrough();
    say(await code(send(['-'], { ...near, stdin, code: 'nonsense' }).done), stdin.destroyed);
    const locked = new ReadableStream();
    locked.getReader();
    say(await code(send({ items: [{ name: 'a', data: locked }] }, near).done));`);
  const each = (end: string) => ['stream', 'web', 'iterator'].map((kind) => `${kind} ${end}`);
  assert.deepEqual(said.split('\n'), [
    ...each('USAGE'),
    ...each('USAGE'),
    ...each('INTERRUPTED'),
    ...each('USAGE'),
    'USAGE true',
    'USAGE',
  ]);
});
