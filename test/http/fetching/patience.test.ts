/** Servers that are slow, busy or silent in the middle of a file. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { answer, content, fetchInto, folder, LENGTH, serve, sha256 } from './servers.ts';

const headOf = (from: number, etag = '"one"') => ({
  etag,
  'content-length': LENGTH - from,
  'content-range': `bytes ${from}-${LENGTH - 1}/${LENGTH}`,
});

const startOf = (range: string | undefined): number => Number(/\d+/.exec(range!)![0]);

test('a server that is busy in the middle is left alone for as long as it says, and the file goes on where it stopped', async (t) => {
  const to = folder(t);
  const asked: { at: number; from: number }[] = [];
  const { url } = await serve(t, (request, response) => {
    asked.push({ at: performance.now(), from: startOf(request.headers.range) });
    if (asked.length === 1) {
      response.writeHead(206, headOf(0));
      return void response.write(content(1).subarray(0, 2_300_000), () => response.destroy());
    }
    if (asked.length > 3) return answer(request, response);
    response.writeHead(503, { 'retry-after': '1' });
    response.end();
  });
  const { transfer, events } = fetchInto(t, to, url, { lanes: 1 });
  await transfer.done;
  assert.deepEqual(readFileSync(join(to, 'file.bin')), content(1));
  for (const n of [2, 3]) {
    const pause = asked[n]!.at - asked[n - 1]!.at;
    assert.ok(pause >= 990, `asked again after ${pause} ms`);
    assert.equal(asked[n]!.from, asked[1]!.from);
  }
  assert.ok(asked[1]!.from > 0, 'not from the beginning');
  const states = events.flatMap((event) => (event.event === 'state' ? [event.to] : []));
  assert.ok(states.lastIndexOf('connecting') > states.indexOf('transferring'), `told: ${states}`);
});

test('a server that answers one connection at a time gets one, and not refusal after refusal', async (t) => {
  const to = folder(t);
  let busy = 0;
  let refused = 0;
  const { url } = await serve(t, (request, response) => {
    if (busy > 0) {
      refused++;
      return void response.writeHead(429, { 'retry-after': '1' }).end();
    }
    busy++;
    response.once('close', () => busy--);
    slowly(response, startOf(request.headers.range));
  });
  const began = performance.now();
  await fetchInto(t, to, url).transfer.done;
  assert.deepEqual(readFileSync(join(to, 'file.bin')), content(1));
  // It is told to wait for a second each time.
  const seconds = (performance.now() - began) / 1000;
  assert.ok(refused > 0 && refused < 6 + seconds, `${refused} refusals in ${seconds} s`);
});

/** In two seconds or so. */
function slowly(response: ServerResponse, from: number): void {
  response.writeHead(206, headOf(from));
  let at = from;
  const next = () => {
    if (response.destroyed) return;
    if (at >= LENGTH) return void response.end();
    response.write(content(1).subarray(at, at + 128 * 1024));
    at += 128 * 1024;
    setTimeout(next, 50);
  };
  next();
}

for (const order of ['first', 'second'])
  test(`protects from: a server that sends a byte now and then, and never ends, ${order} of two places`, async (t) => {
    const to = folder(t);
    const timers = new Set<NodeJS.Timeout>();
    t.after(() => timers.forEach(clearInterval));
    const drip = await serve(t, (request, response) => {
      let at = startOf(request.headers.range);
      response.writeHead(206, headOf(at, '"drip"'));
      const timer = setInterval(() => response.write(content(1).subarray(at, ++at)), 100);
      timers.add(timer);
      response.once('close', () => clearInterval(timer));
    });
    const good = await serve(t);
    const [url, mirror] = order === 'first' ? [drip.url, good.url] : [good.url, drip.url];
    const { transfer } = fetchInto(t, to, { url, mirrors: [mirror], sha256: sha256(content(1)) });
    await transfer.done;
    assert.deepEqual(readFileSync(join(to, 'file.bin')), content(1));
    assert.ok(drip.requests.length > 0);
  });
