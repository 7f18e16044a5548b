/** The real curl, and tus-js-client through Debian's nginx with the configuration that docs/uploads.md gives, at the built command. */
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { Upload } from 'tus-js-client';
import type { Command } from '../../integration/command.ts';
import { type Workspace, workspace } from '../../integration/workspace.ts';
import { startNginx } from '../../nginx.ts';
import { freePort } from '../../ports.ts';

const MiB = 2 ** 20;
const run = promisify(execFile);
const documented = /```nginx\n(location [\s\S]*?\n\}\n)```/.exec(
  readFileSync('docs/uploads.md', 'utf8'),
)![1]!;

/** Why the tests with this program are skipped, or false; on CI that is a failure. */
function without(program: string): string | false {
  try {
    execFileSync('which', [program], { stdio: 'ignore', timeout: 10_000 });
    return false;
  } catch {
    return process.env.CI ? false : `${program} is missing`;
  }
}

async function listen(work: Workspace, port: number, ...flags: string[]) {
  const where = ['--to', work.folder('inbox'), '--port', String(port), '--host', '127.0.0.1', '--no-lan'];
  const command = work.start(['listen', '--http', ...where, ...flags]);
  const [link] = (await command.until('uploads')).links as [string];
  return { command, link };
}

/** @returns its port */
async function nginx(t: TestContext, work: Workspace, to: number): Promise<number> {
  const port = await freePort();
  const home = work.folder('nginx');
  const location = documented.replace('http://127.0.0.1:8080', `http://127.0.0.1:${to}`);
  assert.notEqual(location, documented);
  t.after(await startNginx(home, `server { listen 127.0.0.1:${port}; ${location} }`, port));
  return port;
}

describe('uploads by curl', { skip: without('curl') }, () => {
  it('-T a file, -T a stream, -F two files: identical, and what is refused is told', async (t) => {
    const work = workspace(t);
    const { link } = await listen(work, await freePort(), '--max-size', '8MiB');
    const data = new Map(
      ['a.bin', 'b.bin', 'large.bin'].map((name) => [name, randomBytes(5 * MiB + name.length)]),
    );
    data.set('large.bin', randomBytes(9 * MiB));
    for (const [name, bytes] of data) writeFileSync(work.path(name), bytes);
    const curl = async (...args: string[]) => (await run('curl', ['-sS', ...args])).stdout;
    const status = ['-o', work.path('answer'), '-w', '%{http_code}'];
    assert.equal(await curl('-T', work.path('a.bin'), link), 'Saved as a.bin\n');
    assert.equal(
      await curl('-F', `file=@${work.path('a.bin')}`, '-F', `file=@${work.path('b.bin')}`, link),
      'Saved as a (1).bin\nSaved as b.bin\n',
    );
    const stream = spawn('sh', [
      '-c',
      `cat "$1" | curl -sS -T - "$2"`,
      'sh',
      work.path('b.bin'),
      `${link}stream`,
    ]);
    stream.stdout.resume();
    assert.equal((await once(stream, 'exit'))[0], 0);
    assert.equal(await curl(...status, '-T', work.path('large.bin'), link), '413');
    assert.match(readFileSync(work.path('answer'), 'utf8'), /at most/);
    const inbox = (name: string) => readFileSync(work.path('inbox', name));
    for (const [name, from] of [
      ['a.bin', 'a.bin'],
      ['a (1).bin', 'a.bin'],
      ['b.bin', 'b.bin'],
    ] as const)
      assert.ok(inbox(name).equals(data.get(from)!), name);
    assert.deepEqual(readdirSync(work.path('inbox')), ['a (1).bin', 'a.bin', 'b.bin', 'stream']);
    assert.ok(inbox('stream').equals(data.get('b.bin')!));
  });
});

describe('uploads behind nginx', { skip: without('nginx') }, () => {
  it('tus-js-client goes on after the inbox was killed, and ends identical', async (t) => {
    const work = workspace(t);
    const port = await freePort();
    const flags = ['--trust-proxy', '--limit', '16M'];
    let inbox = await listen(work, port, ...flags);
    const front = await nginx(t, work, port);
    const data = randomBytes(48 * MiB + 5);
    const link = inbox.link.replace(`:${port}/`, `:${front}/`);
    assert.equal((await fetch(link)).status, 200);
    let kills = 0;
    let restarted: Promise<void> = Promise.resolve();
    await new Promise<void>((resolve, reject) => {
      new Upload(data, {
        endpoint: `${link}tus`,
        metadata: { filename: 'tape.bin' },
        retryDelays: Array.from({ length: 200 }, () => 100),
        onShouldRetry: () => true,
        // As docs/uploads.md says: nginx answers so while the inbox is away.
        onAfterResponse: (request, response) => {
          if (request.getMethod() === 'HEAD' && response.getStatus() >= 500) throw new Error('away');
        },
        onProgress: (sent) => {
          if (kills > 0 || sent < 30 * MiB) return;
          kills++;
          const { link: before, command } = inbox;
          restarted = command.kill().then(async () => {
            inbox = await listen(work, port, ...flags);
            assert.equal(inbox.link, before);
          });
          restarted.catch(reject);
        },
        onSuccess: () => resolve(),
        onError: reject,
      }).start();
    });
    await restarted;
    assert.equal(kills, 1);
    const arrived = await isArrived(inbox.command);
    assert.equal(arrived.from, '127.0.0.1');
    assert.ok(readFileSync(work.path('inbox', 'tape.bin')).equals(data));
    assert.deepEqual(readdirSync(work.path('inbox')), ['tape.bin']);
  });
});

const isArrived = (command: Command) =>
  command.until(({ event, status }) => event === 'upload' && status === 'arrived');
