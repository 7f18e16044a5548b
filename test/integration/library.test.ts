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
    const late = receive({ code: '7-crossover-clockwork', at: '127.0.0.1:9', to: '-', stdout: never, accept: 'all', signal: AbortSignal.timeout(200) });
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
