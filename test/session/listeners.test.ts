/** Listeners of the library's user that fail: the transfer goes on, and so does the process. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import type { TransferEvent } from '../../src/session/api.ts';
import { EventStream } from '../../src/session/event-stream.ts';

const WARNING: TransferEvent = { event: 'warning', code: 'NO_PATH', message: 'one' };

test('a throwing listener of `subscribe` does not keep the others from hearing, and is told of once', (t) => {
  const told = t.mock.method(console, 'error', () => {});
  const stream = new EventStream();
  const heard: string[] = [];
  stream.emit(WARNING);
  const stop = stream.subscribe(() => {
    heard.push('bad');
    throw new Error('mine');
  });
  stream.subscribe(() => void heard.push('good'));
  stream.emit(WARNING);
  stream.emit(WARNING);
  assert.deepEqual(heard, ['bad', 'good', 'bad', 'good', 'bad', 'good']);
  stop();
  stream.emit(WARNING);
  assert.deepEqual(heard.slice(6), ['good']);
  assert.equal(told.mock.callCount(), 1);
  assert.match(String(told.mock.calls[0]!.arguments[0]), /subscribe/);
});

test('a throwing or rejecting listener does not end the process', { timeout: 60_000 }, async () => {
  // Without the test runner, which would catch what is thrown.
  const script = `
    import { send, receive } from './src/index.ts';
    const sender = send(['package.json'], { lan: false, port: 0, log: {
      debug() { throw new Error('log') }, info() { throw new Error('log') }, warn() {}, error() {} } });
    let code, port;
    sender.subscribe(() => { throw new Error('thrown') });
    sender.subscribe(async () => { throw new Error('rejected') });
    sender.subscribe((event) => {
      if (event.event === 'code') code = event.code;
      if (event.event === 'listening') port = event.port;
      if (code && port) {
        const [c, p] = [code, port];
        code = undefined;
        const receiver = receive({ accept: 'all', code: c, to: process.env.TO, lan: false, at: '127.0.0.1:' + p });
        receiver.subscribe(() => { throw new Error('thrown') });
        receiver.done.then(() => sender.done).then(() => console.log('both done'));
      }
    });
  `;
  const { mkdtempSync, rmSync } = await import('node:fs');
  const { tmpdir } = await import('node:os');
  const { join } = await import('node:path');
  const to = mkdtempSync(join(tmpdir(), 'beeline-listeners-'));
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    env: { ...process.env, TO: to },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data) => {
    stdout += data;
  });
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  const [status] = await once(child, 'close');
  rmSync(to, { recursive: true, force: true });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /both done/);
  for (const what of [/thrown/, /rejected/, /the log's/]) assert.match(stderr, what);
});

test('an iterator that lags has the last progress of each peer, and one sum', async () => {
  const stream = new EventStream();
  const iterator = stream[Symbol.asyncIterator]();
  stream.emit(WARNING);
  await iterator.next();
  const progress = (peer: number, bytes: number): TransferEvent => ({
    ...{ event: 'progress', peer, bytes, total: null, rate: 0, eta: null, files: 0, by: {} },
  });
  for (let bytes = 1; bytes < 9; bytes++) {
    for (const peer of [1, 2]) stream.emit(progress(peer, bytes));
    stream.emit({ event: 'swarm', from: 0, to: 2, up: bytes, down: 0 });
  }
  stream.emit({ event: 'error', code: 'CANCELLED', message: '' });
  const left = [];
  for await (const event of { [Symbol.asyncIterator]: () => iterator })
    left.push('peer' in event && 'bytes' in event ? `${event.peer} ${event.bytes}` : event.event);
  assert.deepEqual(left, ['1 8', '2 8', 'swarm', 'error']);
});
