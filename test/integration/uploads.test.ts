/** `listen --http` as a process: killed in the middle, started again under the same link, and what was cut off goes on. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Upload } from 'tus-js-client';
import { freePort } from '../ports.ts';
import type { Command } from './command.ts';
import { type Workspace, workspace } from './workspace.ts';

const MiB = 2 ** 20;

function listen(work: Workspace, port: number, ...flags: string[]): Command {
  const where = ['--to', work.path('inbox'), '--port', String(port), '--host', '127.0.0.1', '--no-lan'];
  return work.start(['listen', '--http', ...where, ...flags]);
}

const linkOf = async (command: Command) => ((await command.until('uploads')).links as string[])[0]!;
const isArrived = (name: string) => (line: { event: string; status?: unknown; name?: unknown }) =>
  line.event === 'upload' && line.status === 'arrived' && line.name === name;

describe('integration: uploads', { concurrency: 2 }, () => {
  it('go on after the inbox was killed, under the same link, and end identical', async (t) => {
    const work = workspace(t);
    const port = await freePort();
    const data = randomBytes(48 * MiB + 11);
    let inbox = listen(work, port);
    const link = await linkOf(inbox);
    let kills = 0;
    let restarted: Promise<void> = Promise.resolve();
    await new Promise<void>((resolve, reject) => {
      const upload = new Upload(data, {
        endpoint: `${link}tus`,
        metadata: { filename: 'backup/tape.bin' },
        chunkSize: 8 * MiB,
        retryDelays: Array.from({ length: 200 }, () => 50),
        onShouldRetry: () => true,
        onProgress: (sent) => {
          if (kills >= 2 || sent < (kills + 1) * 12 * MiB) return;
          kills++;
          const killed = inbox.kill();
          restarted = killed.then(async () => {
            inbox = listen(work, port);
            assert.equal(await linkOf(inbox), link);
          });
          restarted.catch(reject);
        },
        onSuccess: () => resolve(),
        onError: reject,
      });
      upload.start();
    });
    await restarted;
    assert.equal(kills, 2);
    await inbox.until(isArrived('backup/tape.bin'));
    assert.ok(readFileSync(work.path('inbox', 'backup', 'tape.bin')).equals(data));
    // The very killed one left nothing behind.
    assert.deepEqual(readdirSync(work.path('inbox')), ['backup']);
    inbox.signal('SIGTERM');
    await inbox.ends(0);
  });

  it('a new link is another one, and the old one leads nowhere', async (t) => {
    const work = workspace(t);
    const port = await freePort();
    const first = listen(work, port);
    const before = await linkOf(first);
    first.signal('SIGTERM');
    await first.ends(0);
    const second = listen(work, port, '--new-link', '--once');
    const after = await linkOf(second);
    assert.notEqual(after, before);
    const put = (link: string) => fetch(`${link}x`, { method: 'PUT', body: 'x' });
    assert.equal((await put(before)).status, 404);
    assert.equal((await put(after)).status, 201);
    // One arrival is enough.
    await second.ends(0);
    assert.deepEqual(readdirSync(work.path('inbox')), ['x']);
  });

  it('behind a password, which is in no log, as the link is not', async (t) => {
    const work = workspace(t);
    const port = await freePort();
    writeFileSync(work.path('password'), 'correct horse\n', { mode: 0o600 });
    const log = work.path('log');
    const inbox = listen(
      work,
      port,
      '--password-file',
      work.path('password'),
      '--log-level',
      'trace',
      '--log-file',
      log,
    );
    const link = await linkOf(inbox);
    const put = (password: string) =>
      fetch(`${link}x`, {
        method: 'PUT',
        body: 'x',
        headers: { authorization: `Basic ${Buffer.from(`me:${password}`).toString('base64')}` },
      });
    assert.equal((await fetch(`${link}x`, { method: 'PUT', body: 'x' })).status, 401);
    assert.equal((await put('wrong')).status, 401);
    assert.equal((await put('correct horse')).status, 201);
    inbox.signal('SIGTERM');
    await inbox.ends(0);
    assert.ok(!readFileSync(log, 'utf8').includes('horse'));
    const byLink = listen(work, port, '--log-level', 'trace', '--log-file', log);
    const secret = new URL(await linkOf(byLink)).pathname.split('/')[1]!;
    assert.equal((await fetch(`${await linkOf(byLink)}y`, { method: 'PUT', body: 'y' })).status, 201);
    byLink.signal('SIGTERM');
    await byLink.ends(0);
    assert.ok(secret.length === 22 && !readFileSync(log, 'utf8').includes(secret));
  });

  it('a reader that sends nothing holds no place for ever, and others come in meanwhile', async (t) => {
    const work = workspace(t);
    const inbox = listen(work, await freePort(), '--max-size', '1MiB');
    const link = await linkOf(inbox);
    const slow = fetch(`${link}slow`, {
      method: 'PUT',
      duplex: 'half',
      body: new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(10)) }),
    } as RequestInit).catch(() => undefined);
    await delay(50);
    assert.equal((await fetch(`${link}quick`, { method: 'PUT', body: 'x' })).status, 201);
    assert.equal((await fetch(`${link}large`, { method: 'PUT', body: randomBytes(MiB + 1) })).status, 413);
    inbox.signal('SIGTERM');
    await inbox.ends(0);
    await slow;
    assert.deepEqual(readdirSync(work.path('inbox')), ['quick']);
  });

  it('of the public, a connection has one request, and what is smuggled behind a body is none', async (t) => {
    const work = workspace(t);
    const port = await freePort();
    const inbox = listen(work, port, '--public');
    await linkOf(inbox);
    const said = (text: string) =>
      new Promise<string>((resolve) => {
        const socket = connect(port, '127.0.0.1');
        let answer = '';
        socket.on('data', (part) => {
          answer += part;
        });
        socket.on('error', () => {});
        socket.on('close', () => resolve(answer));
        socket.write(text);
      });
    const head = (name: string, more: string) =>
      `PUT /${name} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n${more}\r\n`;
    const behind = Array.from({ length: 200 }, (_, at) => head(`behind-${at}`, 'content-length: 0\r\n'));
    await said(`${head('first', 'content-length: 1\r\n')}x${behind.join('')}`);
    const both = 'content-length: 4\r\ntransfer-encoding: chunked\r\n';
    assert.match(await said(`${head('both', both)}0\r\n\r\n${behind[0]}`), /^HTTP\/1\.1 400 /);
    const trailers = '1\r\nx\r\n0\r\nhost: evil.example\r\nx-more: 1\r\n\r\n';
    assert.match(
      await said(`${head('trailed', 'transfer-encoding: chunked\r\nconnection: close\r\n')}${trailers}`),
      /^HTTP\/1\.1 201 /,
    );
    inbox.signal('SIGTERM');
    await inbox.ends(0);
    const names = readdirSync(work.path('inbox'));
    assert.deepEqual(
      names.filter((name) => name !== 'first'),
      ['trailed'],
    );
  });
});
