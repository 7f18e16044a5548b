/** Strangers of many addresses do to a server what they like, and two who use it have their transfer. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { Workspace } from '../integration/workspace.ts';
import { attack } from './attacks.ts';

/** Floods take the processor from who is tested: the whole machine is. */
const LIMIT = { timeout: 240_000, skip: process.platform !== 'linux' && 'only Linux has all of 127.0.0.0/8' };
const MOST_RSS_KB = 512 * 1024;

const memoryOf = (pid: number) =>
  Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);

test(
  'protects from: floods of a server from many addresses; a server that does not end on SIGTERM',
  LIMIT,
  async () => {
    const work = new Workspace();
    const end = new AbortController();
    setMaxListeners(0, end.signal);
    try {
      writeFileSync(work.path('file'), randomBytes(1_000_000));
      const secret = randomBytes(16).toString('hex');
      const server = work.start(
        ['server', '--port', '0', '--host', '127.0.0.1', '--stun-port', '0'].concat(
          ...['--turn-url', 'turn:127.0.0.1:3478', '--log-level', 'debug', '--log-file', work.path('log')],
        ),
        { deadline: 230_000, env: { BEELINE_TURN_SECRET: secret } },
      );
      const { port, stun, url } = await server.until('listening');
      attack({ port: Number(port), second: (stun as number[])[1]! }, { addresses: 8, each: 2 }, end.signal);
      const way = ['--no-lan', '--server', String(url), '--relay', 'only'];
      const options = { deadline: 200_000 };
      const sender = work.start(['send', work.path('file'), ...way], options);
      const { code } = await sender.until('code');
      const receiver = work.start(
        ['receive', String(code), '--yes', '--to', work.folder('out'), ...way],
        options,
      );
      await receiver.ends(0);
      await sender.ends(0);
      assert.ok(readFileSync(work.path('file')).equals(readFileSync(work.path('out', 'file'))));
      const { pid } = JSON.parse(readFileSync(work.path('log'), 'utf8').split('\n', 1)[0]!);
      assert.ok(memoryOf(pid) < MOST_RSS_KB, `${memoryOf(pid)} KiB`);
      // While the flood goes on.
      server.signal('SIGTERM');
      await server.ends(0);
      const log = readFileSync(work.path('log'), 'utf8');
      assert.match(log, /relayed/);
      const [, words = ''] = String(code).split(/-(.*)/s);
      for (const hidden of [secret, words]) assert.ok(!log.includes(hidden), 'a secret in the log');
      assert.doesNotMatch(log, /"(?:token|credential|username|nameplate)"/);
    } finally {
      end.abort();
      await work.dispose();
    }
  },
);
