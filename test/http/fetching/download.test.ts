/** Files from servers that do what they should, and from those that do not. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { BeelineError } from '../../../src/base/errors.ts';
import { unfinished } from '../../../src/node/files/unfinished.ts';
import { answer, content, fetchInto, folder, LENGTH, MODIFIED, names, serve, sha256 } from './servers.ts';

const fails =
  (reason: string) =>
  (error: BeelineError): boolean => {
    assert.equal(error.reason, reason, `${error.code}: ${error.message}`);
    return true;
  };

test('a file comes whole, with the time that the server says, over ranges', async (t) => {
  const to = folder(t);
  const { url, requests } = await serve(t);
  const { transfer, events } = fetchInto(t, to, url);
  const { files, bytes, peer } = await transfer.done;
  assert.deepEqual({ files, bytes }, { files: 1, bytes: LENGTH });
  assert.equal(peer, new URL(url).origin);
  const path = join(to, 'file.bin');
  assert.deepEqual(readFileSync(path), content(1));
  assert.equal(Math.round(statSync(path).mtimeMs), Date.parse(MODIFIED));
  assert.deepEqual(names(to), ['file.bin']);
  assert.equal(requests[0]!.headers.range, 'bytes=0-');
  assert.equal(requests[0]!.headers['accept-encoding'], 'identity');
  const kinds = events.filter((event) => event.event === 'lane').map((event) => event.kind);
  assert.deepEqual([...new Set(kinds)], ['http']);
});

test('a server without ranges, one without a length, and an empty file', async (t) => {
  const to = folder(t);
  const { url } = await serve(t, (request, response) => {
    if (request.url!.endsWith('plain')) return answer(request, response, { ranges: false });
    if (request.url!.endsWith('empty')) return answer(request, response, { bytes: Buffer.alloc(0) });
    response.writeHead(200);
    response.write(content(2).subarray(0, 1000));
    response.end(content(2).subarray(1000));
  });
  for (const [name, bytes] of [
    ['plain', content(1)],
    ['stream', content(2)],
    ['empty', Buffer.alloc(0)],
  ] as const) {
    const { transfer } = fetchInto(t, to, new URL(name, url).href);
    assert.equal((await transfer.done).bytes, bytes.length, name);
    assert.deepEqual(readFileSync(join(to, name)), bytes);
  }
});

test('a stream whose length is a whole number of chunks', async (t) => {
  const to = folder(t);
  const bytes = content(3, 2 * 1024 * 1024);
  const { url } = await serve(t, (_, response) => {
    response.writeHead(200);
    response.end(bytes);
  });
  await fetchInto(t, to, url).transfer.done;
  assert.deepEqual(readFileSync(join(to, 'file.bin')), bytes);
});

test('several connections share the work, and each byte is asked for once', async (t) => {
  const to = folder(t);
  const bytes = content(4, 24 * 1024 * 1024 + 7);
  const { url, requests } = await serve(t, (request, response) => answer(request, response, { bytes }));
  await fetchInto(t, to, url, { lanes: 4 }).transfer.done;
  assert.deepEqual(readFileSync(join(to, 'file.bin')), bytes);
  assert.ok(requests.length >= 4);
  for (const { headers } of requests.slice(1)) assert.equal(headers['if-range'], '"one"');
});

test('several files, small and large, with one name twice', async (t) => {
  const to = folder(t);
  const sizes = [10, 3 * 1024 * 1024, 0, 70_000, 500];
  const { url } = await serve(t, (request, response) => {
    const index = Number(request.url!.split('/')[1]);
    answer(request, response, { bytes: content(index, sizes[index]!) });
  });
  const urls = sizes.map(
    (_, index) => new URL(`/${index}/${index < 2 ? 'same.bin' : `n${index}`}`, url).href,
  );
  const { files } = await fetchInto(t, to, urls).transfer.done;
  assert.equal(files, sizes.length);
  const at = ['same.bin', 'same (2).bin', 'n2', 'n3', 'n4'];
  for (const [index, name] of at.entries())
    assert.deepEqual(readFileSync(join(to, name)), content(index, sizes[index]!), name);
});

test('to a stream, in order', async (t) => {
  const to = new PassThrough();
  const parts: Buffer[] = [];
  to.on('data', (part) => parts.push(part));
  const { url } = await serve(t);
  const { transfer } = fetchInto(t, folder(t), url, { to: '-', stdout: to });
  await transfer.done;
  assert.deepEqual(Buffer.concat(parts), content(1));
});

test('a reader that is slower than the server gets every byte right', async (t) => {
  const bytes = content(11, 40 * 1024 * 1024 + 5);
  const { url } = await serve(t, (request, response) => answer(request, response, { bytes }));
  const parts: Buffer[] = [];
  const slow = new Writable({
    highWaterMark: 1,
    write(part, _, done) {
      parts.push(Buffer.from(part));
      setTimeout(done, 5);
    },
  });
  const { transfer } = fetchInto(t, folder(t), url, { to: '-', stdout: slow });
  await transfer.done;
  assert.ok(Buffer.concat(parts).equals(bytes));
});

test('a limit is kept, also where the server closes the connection behind the file', async (t) => {
  for (const connection of ['close', 'keep-alive']) {
    const to = folder(t);
    const { url } = await serve(t, (request, response) =>
      answer(request, response, { headers: { connection } }),
    );
    const since = performance.now();
    await fetchInto(t, to, url, { limit: 5e6 }).transfer.done;
    assert.ok(performance.now() - since > 600, 'it took as long as it must');
    assert.deepEqual(readFileSync(join(to, 'file.bin')), content(1));
  }
});

test('a connection that breaks is continued where it broke', async (t) => {
  const to = folder(t);
  let left = 3;
  const { url, requests } = await serve(t, (request, response, served) => {
    if (left-- <= 0) return answer(request, response);
    const from = Number(/\d+/.exec(request.headers.range!)![0]);
    response.writeHead(206, {
      etag: '"one"',
      'content-length': LENGTH - from,
      'content-range': `bytes ${from}-${LENGTH - 1}/${LENGTH}`,
    });
    response.write(content(1).subarray(from, from + 1_300_000), () => response.destroy());
    void served;
  });
  await fetchInto(t, to, url, { lanes: 1 }).transfer.done;
  assert.deepEqual(readFileSync(join(to, 'file.bin')), content(1));
  const starts = requests.map(({ headers }) => Number(/\d+/.exec(headers.range!)![0]));
  assert.equal(new Set(starts).size, 4, `began at ${starts}`);
  assert.deepEqual(
    starts,
    [...starts].sort((a, b) => a - b),
  );
});

test('a file that changes while it is fetched begins anew, and is never a mix', async (t) => {
  const to = folder(t);
  let first = true;
  const { url } = await serve(t, (request, response) => {
    if (!first) return answer(request, response, { bytes: content(9), etag: '"two"' });
    first = false;
    response.writeHead(206, {
      ...{ etag: '"one"', 'content-length': LENGTH },
      'content-range': `bytes 0-${LENGTH - 1}/${LENGTH}`,
    });
    response.write(content(1).subarray(0, 3_000_000), () => response.destroy());
  });
  const { transfer, events } = fetchInto(t, to, url);
  await transfer.done;
  assert.deepEqual(readFileSync(join(to, 'file.bin')), content(9));
  assert.ok(events.some((event) => event.event === 'warning' && event.reason === 'HTTP_CHANGED'));
  assert.equal(events.filter((event) => event.event === 'manifest').length, 2);
});

test('a file that changes with every answer is given up', async (t) => {
  const to = folder(t);
  let turn = 0;
  const { url } = await serve(t, (_, response) => {
    response.writeHead(206, {
      ...{ etag: `"${turn++}"`, 'content-length': LENGTH },
      'content-range': `bytes 0-${LENGTH - 1}/${LENGTH}`,
    });
    response.write(content(turn).subarray(0, 1_500_000), () => response.destroy());
  });
  await assert.rejects(fetchInto(t, to, url).transfer.done, fails('HTTP_CHANGED'));
  assert.deepEqual(names(to), []);
});

test('without a validator parts are not put together', async (t) => {
  const to = folder(t);
  const { url, requests } = await serve(t, (request, response) => {
    if (requests.length > 1) return answer(request, response, { bytes: content(7), etag: '', modified: '' });
    response.writeHead(206, { 'content-length': LENGTH, 'content-range': `bytes 0-${LENGTH - 1}/${LENGTH}` });
    response.write(content(1).subarray(0, 2_500_000), () => response.destroy());
  });
  await fetchInto(t, to, url, { lanes: 4 }).transfer.done;
  assert.deepEqual(readFileSync(join(to, 'file.bin')), content(7));
});

test('a weak tag alone does not make parts one file', async (t) => {
  const to = folder(t);
  const { url, requests } = await serve(t, (request, response) =>
    answer(request, response, { etag: 'W/"one"', modified: '' }),
  );
  await fetchInto(t, to, url, { lanes: 4 }).transfer.done;
  assert.equal(requests.length, 1);
});

test('a later run goes on, and asks for what is missing alone; what is kept has no secret of the URL', async (t) => {
  const to = folder(t);
  const stop = new AbortController();
  const { url, requests } = await serve(t, (request, response) => {
    if (requests.length > 1) return answer(request, response);
    response.writeHead(206, {
      ...{ etag: '"one"', 'content-length': LENGTH },
      'content-range': `bytes 0-${LENGTH - 1}/${LENGTH}`,
    });
    response.write(content(1).subarray(0, 4 * 1024 * 1024));
  });
  const secret = 'Zm9vYmFyYmF6cXV4MTIzNA';
  const at = new URL(`/${secret}/file.bin?signature=s3cret`, url);
  const first = fetchInto(t, to, at.href, { signal: stop.signal });
  first.transfer.subscribe((event) => {
    if (event.event === 'progress' && event.bytes >= 4 * 1024 * 1024) stop.abort();
  });
  await assert.rejects(first.transfer.done, (error: BeelineError) => error.code === 'INTERRUPTED');
  await first.transfer.closed;
  assert.deepEqual(names(to), []);
  const [kept] = await unfinished(to);
  assert.deepEqual(kept!.transfer!.from, [`${at.origin}/.../file.bin?...`]);
  const journal = readFileSync(join(kept!.path, 'journal'), 'latin1');
  for (const one of [secret, 's3cret']) assert.ok(!journal.includes(one), one);
  const second = fetchInto(t, to, at.href);
  const { resumed } = await second.transfer.done;
  assert.ok(resumed >= 3 * 1024 * 1024, `resumed ${resumed}`);
  assert.deepEqual(readFileSync(join(to, 'file.bin')), content(1));
  assert.ok(requests.slice(2).every(({ headers }) => headers.range !== 'bytes=0-'));
});

test('a later run of a file that has changed meanwhile begins anew', async (t) => {
  const to = folder(t);
  const stop = new AbortController();
  let etag = '"one"';
  const { url } = await serve(t, (request, response) => {
    if (etag !== '"one"') return answer(request, response, { bytes: content(8), etag });
    response.writeHead(206, {
      etag,
      'content-length': LENGTH,
      'content-range': `bytes 0-${LENGTH - 1}/${LENGTH}`,
    });
    response.write(content(1).subarray(0, 4 * 1024 * 1024));
  });
  const first = fetchInto(t, to, url, { signal: stop.signal });
  first.transfer.subscribe((event) => {
    if (event.event === 'progress' && event.bytes >= 4 * 1024 * 1024) stop.abort();
  });
  await assert.rejects(first.transfer.done);
  await first.transfer.closed;
  etag = '"two"';
  await fetchInto(t, to, url).transfer.done;
  assert.deepEqual(readFileSync(join(to, 'file.bin')), content(8));
});

test('a digest that is expected, or that the server says, is checked before the file has its name', async (t) => {
  const to = folder(t);
  const digest = Buffer.from(sha256(content(1)), 'hex').toString('base64');
  const other = Buffer.from(sha256(content(2)), 'hex').toString('base64');
  const { url } = await serve(t, (request, response) => {
    const said = request.url!.includes('right') ? digest : other;
    const headers: Record<string, string> = request.url!.includes('old')
      ? { digest: `SHA-256=${said}` }
      : { 'repr-digest': `sha-256=:${said}:` };
    answer(request, response, request.url!.includes('said') ? { headers } : {});
  });
  const at = (name: string) => new URL(name, url).href;
  const right = { sha256: sha256(content(1)) };
  const wrong = { sha256: sha256(content(2)) };
  await fetchInto(t, to, { url: at('a'), ...right }, { lanes: 4 }).transfer.done;
  await fetchInto(t, to, at('said-right')).transfer.done;
  await fetchInto(t, to, at('said-right-old')).transfer.done;
  assert.deepEqual(names(to).sort(), ['a', 'said-right', 'said-right-old']);
  for (const what of [{ url: at('b'), ...wrong }, at('said-wrong'), at('said-wrong-old')])
    for (const lanes of [1, 4])
      await assert.rejects(fetchInto(t, to, what, { lanes }).transfer.done, fails('HTTP_DIGEST_DIFFERS'));
  assert.deepEqual(names(to).sort(), ['a', 'said-right', 'said-right-old']);
});

test('the name is the one that the server says, and never leads anywhere', async (t) => {
  const to = folder(t);
  const said: [disposition: string | undefined, path: string, name: string][] = [
    ['attachment; filename="a b.txt"', '/x', 'a b.txt'],
    ["attachment; filename=plain; filename*=UTF-8''n%C3%A4her.txt", '/x', 'näher.txt'],
    ['attachment; filename="../../evil"', '/x', 'evil'],
    ['attachment; filename="/etc/passwd"', '/x', 'passwd'],
    ['attachment; filename="C:\\\\Windows\\\\evil.exe"', '/x', 'evil.exe'],
    ['attachment; filename=".bashrc"', '/x', '_bashrc'],
    ['attachment; filename=".."', '/fallback', 'fallback'],
    ["attachment; filename*=UTF-8''a%00b", '/nul', 'nul'],
    ['attachment; filename=not by the grammar', '/by-url', 'by-url'],
    [undefined, '/', 'download'],
    [undefined, '/%2e%2e%2fup', 'up'],
    [undefined, '/q?name=x#y', 'q'],
    ['attachment; filename=".beeline-0123456789abcdef"', '/z', '_beeline-0123456789abcdef'],
  ];
  for (const [disposition, path, name] of said) {
    const { url } = await serve(t, (request, response) =>
      answer(request, response, {
        bytes: content(1, 10),
        headers: disposition === undefined ? {} : { 'content-disposition': disposition },
      }),
    );
    const into = folder(t);
    await fetchInto(t, into, new URL(path, url).href).transfer.done;
    assert.deepEqual(names(into), [name], disposition ?? path);
  }
  const { url } = await serve(t);
  await fetchInto(t, to, { url, name: 'mine' }).transfer.done;
  assert.deepEqual(names(to), ['mine']);
});

test('a file that exists is left as it is, unless it may be replaced', async (t) => {
  const to = folder(t);
  const { url } = await serve(t);
  const path = join(to, 'file.bin');
  writeFileSync(path, 'mine');
  await assert.rejects(fetchInto(t, to, url, { overwrite: 'ask' }).transfer.done, fails('FILES_EXIST'));
  await fetchInto(t, to, url, { overwrite: 'skip' }).transfer.done;
  assert.equal(readFileSync(path, 'utf8'), 'mine');
  await fetchInto(t, to, url, { overwrite: 'replace' }).transfer.done;
  assert.deepEqual(readFileSync(path), content(1));
});

test('what is not the file is not taken for it', async (t) => {
  const to = folder(t);
  const whole = (headers: Record<string, string | number>) => ({ etag: '"one"', ...headers });
  const range = (text: string) => whole({ 'content-range': text, 'content-length': LENGTH });
  const cases: Record<string, [number, Record<string, string | number>, Buffer, string]> = {
    gone: [404, {}, Buffer.from('no'), 'HTTP_STATUS'],
    nothing: [204, {}, Buffer.alloc(0), 'HTTP_STATUS'],
    zipped: [200, whole({ 'content-encoding': 'gzip' }), gzipSync(content(1)), 'HTTP_ENCODED'],
    unsaid: [206, whole({ 'content-length': LENGTH }), content(1), 'HTTP_MISBEHAVES'],
    absurd: [206, range('bytes 9-2/5'), content(1), 'HTTP_MISBEHAVES'],
    lines: [206, range(`bytes 0-${LENGTH}/${LENGTH}`), content(1), 'HTTP_MISBEHAVES'],
    loop: [302, { location: '/folder/loop' }, Buffer.alloc(0), 'HTTP_REDIRECTS'],
    nowhere: [302, {}, Buffer.alloc(0), 'HTTP_MISBEHAVES'],
    scheme: [302, { location: 'file:///etc/passwd' }, Buffer.alloc(0), 'HTTP_MISBEHAVES'],
    head: [200, whole({ big: 'x'.repeat(60_000) }), content(1), 'HTTP_AWAY'],
  };
  const { url } = await serve(t, (request, response) => {
    const [status, headers, body] = cases[request.url!.split('/').at(-1)!]!;
    response.writeHead(status, headers);
    response.end(body);
  });
  for (const [name, [, , , reason]] of Object.entries(cases))
    await assert.rejects(fetchInto(t, to, new URL(name, url).href).transfer.done, fails(reason), name);
  assert.deepEqual(names(to), []);
});

test('another range than the one that was asked for is not put in its place', async (t) => {
  const to = folder(t);
  const { url, requests } = await serve(t, (_, response) => {
    if (requests.length === 1) {
      response.writeHead(206, {
        ...{ etag: '"one"', 'content-length': LENGTH },
        'content-range': `bytes 0-${LENGTH - 1}/${LENGTH}`,
      });
      return void response.write(content(1).subarray(0, 1_000_000), () => response.destroy());
    }
    response.writeHead(206, {
      ...{ etag: '"one"', 'content-length': 100 },
      'content-range': `bytes 0-99/${LENGTH}`,
    });
    response.end(content(1).subarray(0, 100));
  });
  await assert.rejects(fetchInto(t, to, url).transfer.done, fails('HTTP_MISBEHAVES'));
});

test('a body that is longer than announced, or endless, is not read on', async (t) => {
  const to = folder(t);
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write(
        'HTTP/1.1 206 Partial Content\r\netag: "a"\r\ncontent-range: bytes 0-9/10\r\ntransfer-encoding: chunked\r\n\r\n',
      );
      const more = () => {
        if (!socket.destroyed)
          socket.write('400\r\n'.concat('x'.repeat(1024), '\r\n'), () => setImmediate(more));
      };
      more();
    });
  });
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await assert.rejects(
    fetchInto(t, to, `http://127.0.0.1:${port}/endless`).transfer.done,
    fails('HTTP_MISBEHAVES'),
  );
  assert.equal(existsSync(join(to, 'endless')), false);
});

test('a server that is busy is left alone for as long as it says', async (t) => {
  const to = folder(t);
  const times: number[] = [];
  const { url } = await serve(t, (request, response) => {
    times.push(performance.now());
    if (times.length > 1) return answer(request, response);
    response.writeHead(503, { 'retry-after': '1' });
    response.end();
  });
  await fetchInto(t, to, url).transfer.done;
  assert.ok(times[1]! - times[0]! >= 990, `asked again after ${times[1]! - times[0]!} ms`);
});

test('credentials go to the server that they are for alone, and are not shown', async (t) => {
  const to = folder(t);
  const other = await serve(t);
  const { url, requests } = await serve(t, (request, response) => {
    response.writeHead(302, { location: other.url });
    response.end();
    void request;
  });
  const secret = url.replace('http://', 'http://me:s3cret@');
  const { transfer, events } = fetchInto(t, to, secret);
  await transfer.done;
  assert.equal(requests[0]!.headers.authorization, `Basic ${Buffer.from('me:s3cret').toString('base64')}`);
  assert.ok(other.requests.every(({ headers }) => headers.authorization === undefined));
  assert.ok(!JSON.stringify(events).includes('s3cret'));
});

test('a mirror that fails is done without, and one with another length is not used', async (t) => {
  const to = folder(t);
  const bytes = content(5, 9 * 1024 * 1024);
  const good = await serve(t, (request, response) => answer(request, response, { bytes, etag: '"g"' }));
  const gone = await serve(t, (_, response) => void response.writeHead(404).end());
  const longer = await serve(t, (request, response) => answer(request, response, { bytes: content(6) }));
  const mirrors = [gone.url, longer.url];
  const { transfer, events } = fetchInto(t, to, { url: good.url, mirrors }, { lanes: 4 });
  await transfer.done;
  assert.deepEqual(readFileSync(join(to, 'file.bin')), bytes);
  const reasons = events.flatMap((event) => (event.event === 'warning' ? [event.reason] : []));
  assert.deepEqual(reasons.sort(), ['HTTP_MIRROR_DIFFERS', 'HTTP_STATUS']);
  const into = folder(t);
  const first = fetchInto(t, into, { url: gone.url, mirrors: [good.url], name: 'x' });
  await first.transfer.done;
  assert.deepEqual(readFileSync(join(into, 'x')), bytes);
});

test('mirrors share the work', async (t) => {
  const to = folder(t);
  const bytes = content(5, 16 * 1024 * 1024);
  const one = await serve(t, (request, response) => answer(request, response, { bytes, etag: '"1"' }));
  const two = await serve(t, (request, response) => answer(request, response, { bytes, etag: '"2"' }));
  await fetchInto(t, to, { url: one.url, mirrors: [two.url], sha256: sha256(bytes) }).transfer.done;
  assert.deepEqual(readFileSync(join(to, 'file.bin')), bytes);
  assert.ok(one.requests.length > 0 && two.requests.length > 0);
  assert.ok(two.requests.every(({ headers }) => headers['if-range'] !== '"1"'));
});
