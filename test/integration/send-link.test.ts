/** `send --http`: the same offer by a link, for those who have nothing installed, who count as receivers. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { freePort } from '../ports.ts';
import type { Command } from './command.ts';
import { errorCode, event, listening, type Workspace, workspace } from './workspace.ts';

const MiB = 2 ** 20;

/** A folder with two files and a link out. */
function makeTree(work: Workspace): Buffer {
  const data = randomBytes(3 * MiB + 5);
  mkdirSync(work.path('trip', 'days'), { recursive: true });
  writeFileSync(work.path('trip', 'film.mkv'), data);
  writeFileSync(work.path('trip', 'days', 'one & <two>.txt'), 'rain');
  symlinkSync('/etc/passwd', work.path('trip', 'passwd'));
  return data;
}

async function linkOf(sender: Command): Promise<string> {
  const { links } = await sender.until('http');
  // The one that every machine has.
  return (links as string[]).find((link) => link.includes('//127.0.0.1:')) ?? (links as string[])[0]!;
}

const get = (url: string, range?: string) => fetch(url, range ? { headers: { range } } : {});

describe('integration: a link beside the code', { concurrency: 2 }, () => {
  it('gives the offer in parts, and whoever had all files is the receiver', async (t) => {
    const work = workspace(t);
    const data = makeTree(work);
    const sender = work.start(['send', work.path('trip'), '--http', '--no-lan']);
    const link = await linkOf(sender);
    assert.match(link, /^http:\/\/[^/]+\/[\w-]{22}\/trip\/$/);
    const page = await (await get(link)).text();
    assert.ok(page.includes('film.mkv') && !page.includes('passwd'), page);
    const days = await (await get(`${link}days/`)).text();
    assert.ok(days.includes('one &amp; &lt;two&gt;.txt'), days);
    assert.equal((await get(`${link}passwd`)).status, 404);
    assert.equal((await get(link.replace(/\/[\w-]{22}\//, '/wrongwrongwrongwrongwr/'))).status, 404);
    // In two parts, as `curl -C -` does.
    const first = Buffer.from(await (await get(`${link}film.mkv`, `bytes=0-${MiB - 1}`)).arrayBuffer());
    const rest = Buffer.from(await (await get(`${link}film.mkv`, `bytes=${MiB}-`)).arrayBuffer());
    assert.ok(Buffer.concat([first, rest]).equals(data));
    assert.equal(await (await get(`${link}days/${encodeURIComponent('one & <two>.txt')}`)).text(), 'rain');
    const sent = await sender.ends(0);
    const had = event(sent, 'downloaded');
    assert.deepEqual([had.address, had.bytes], ['127.0.0.1', data.length + 4]);
    const wholes = sent.events.filter(({ event, whole }) => event === 'download' && whole);
    assert.deepEqual(wholes.map(({ path }) => path).sort(), [
      '/trip/days/one%20%26%20%3Ctwo%3E.txt',
      '/trip/film.mkv',
    ]);
    assert.equal(event(sent, 'done').root, '');
  });

  it('an archive of all is all; others still come by the code', async (t) => {
    const work = workspace(t);
    makeTree(work);
    const port = await freePort();
    const sender = work.start([
      'send',
      work.path('trip'),
      '--http',
      '--no-lan',
      '--receivers',
      '2',
      '--port',
      String(port),
    ]);
    const link = await linkOf(sender);
    // It stands beside the port that was named.
    assert.equal(new URL(link).port, String(port + 1));
    const zip = Buffer.from(await (await get(`${link}?zip`)).arrayBuffer());
    assert.equal(zip.subarray(0, 2).toString(), 'PK');
    await sender.until('downloaded');
    await listening(port);
    const { code } = await sender.until('code');
    const at = ['--at', `127.0.0.1:${port}`, '--no-lan', '--yes', '--to', work.folder('out')];
    const received = await work.start(['receive', String(code), ...at]).ends(0);
    const sent = await sender.ends(0);
    assert.equal(event(sent, 'done').root, event(received, 'done').root);
  });

  it('a receiver by the code is enough, and the link ends with it', async (t) => {
    const work = workspace(t);
    writeFileSync(work.path('x.bin'), randomBytes(100_000));
    const port = await freePort();
    const sender = work.start(['send', work.path('x.bin'), '--http', '--no-lan', '--port', String(port)]);
    const link = await linkOf(sender);
    const { code } = await sender.until('code');
    const at = ['--at', `127.0.0.1:${port}`, '--no-lan', '--yes', '--to', work.folder('out')];
    await work.start(['receive', String(code), ...at]).ends(0);
    await sender.ends(0);
    await assert.rejects(get(link));
  });

  it('a file that has changed since is no download, and other content is never mixed in', async (t) => {
    const work = workspace(t);
    writeFileSync(work.path('log'), randomBytes(200_000));
    const before = createHash('sha256')
      .update(readFileSync(work.path('log')))
      .digest('hex');
    const sender = work.start(['send', work.path('log'), '--http', '--no-lan']);
    const link = await linkOf(sender);
    appendFileSync(work.path('log'), 'more');
    const got = await get(link)
      .then(async (answer) => Buffer.from(await answer.arrayBuffer()))
      .catch(() => undefined);
    if (got) assert.notEqual(createHash('sha256').update(got).digest('hex'), before);
    assert.equal(
      sender.events.find((line) => line.event === 'downloaded'),
      undefined,
    );
    sender.signal('SIGINT');
    await sender.exited;
  });

  it('of several paths it is a folder, as its end says: no download of a short word instead of a file', async (t) => {
    const work = workspace(t);
    const paths = ['one.txt', 'two.txt'].map((name) => work.path(name));
    for (const path of paths) writeFileSync(path, path);
    const sender = work.start(['send', ...paths, '--http', '--no-lan']);
    const link = await linkOf(sender);
    assert.match(link, /^http:\/\/[^/]+\/[\w-]{22}\/$/);
    assert.equal(await (await get(`${link}two.txt`)).text(), paths[1]);
    sender.signal('SIGINT');
    await sender.exited;
  });

  it('is for files: what cannot be read twice has no link', async (t) => {
    const work = workspace(t);
    for (const what of [['-'], ['--text', 'x']])
      assert.equal(errorCode(await work.start(['send', ...what, '--http']).ends(2)), 'USAGE');
  });
});
