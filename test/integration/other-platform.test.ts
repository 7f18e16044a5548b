/**
 * The command on Linux, told that it is on Windows or on macOS: every branch that asks for the platform is the other one's, through
 * whole transfers. What those systems' disks and consoles do themselves is not shown by this.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { makeFile, sameFile } from '../../bench/files.mjs';
import { event, journaled, type Workspace, workspace } from './workspace.ts';

const HOOK = new URL('../as-platform.mjs', import.meta.url).href;
const SIZE = 24 << 20;
const skip = process.platform === 'win32' && 'names of files that Windows has not are written';

/** What the names of a tree are there. */
const NAMES = {
  win32: {
    'a:b.txt': 'a_b.txt',
    'con.txt': 'con_.txt',
    'trail.': 'trail_',
    'back\\slash': 'back_slash',
    plain: 'plain',
  },
  darwin: {
    'a:b.txt': 'a:b.txt',
    'con.txt': 'con.txt',
    'trail.': 'trail.',
    'back\\slash': 'back\\slash',
    plain: 'plain',
  },
};
type Platform = keyof typeof NAMES;

/** Folders of one's own as on that platform, and no others that would come before them. */
function on(platform: Platform, work: Workspace) {
  const env = {
    ...{ AS_PLATFORM: platform, NODE_OPTIONS: `--import ${HOOK}` },
    ...{ APPDATA: work.path('roaming'), LOCALAPPDATA: work.path('local'), HOME: work.path('home') },
    ...{ XDG_CONFIG_HOME: '', XDG_CACHE_HOME: '', BEELINE_STATE_DIR: '' },
  };
  return { env };
}

function tree(work: Workspace): void {
  work.folder('tree', 'empty');
  for (const name of Object.keys(NAMES.win32)) writeFileSync(work.path('tree', name), name);
  symlinkSync('con.txt', work.path('tree', 'link'));
}

describe('integration: as on another platform', { skip }, () => {
  for (const platform of ['win32', 'darwin'] as const) {
    it(`${platform}: a tree arrives under names that it has there, is verified, and once more as an update`, async (t: TestContext) => {
      const work = workspace(t);
      tree(work);
      const options = { sender: on(platform, work), receiver: on(platform, work) };
      const { received } = await work.deliver([work.path('tree')], options);
      const names = Object.values(NAMES[platform]);
      assert.deepEqual(readdirSync(work.path('out', 'tree')).sort(), [...names, 'empty', 'link'].sort());
      for (const [sent, here] of Object.entries(NAMES[platform]))
        assert.equal(readFileSync(work.path('out', 'tree', here), 'utf8'), sent);
      assert.equal(readFileSync(work.path('out', 'tree', 'link'), 'utf8'), 'con.txt');
      assert.deepEqual(readdirSync(work.path('out')), ['tree']);
      const receipt = String(event(received, 'done').receipt);
      const kept = platform === 'win32' ? work.path('local') : work.path('home', '.local/state');
      assert.ok(receipt.startsWith(`${kept}/beeline/receipts/`), receipt);
      await work.start(['verify', receipt, work.path('out')], on(platform, work)).ends(0);

      writeFileSync(work.path('tree', 'plain'), 'another text');
      const again = await work.deliver([work.path('tree')], {
        ...options,
        receive: ['--update', '--to', work.path('out')],
      });
      assert.equal(readFileSync(work.path('out', 'tree', 'plain'), 'utf8'), 'another text');
      assert.equal(event(again.received, 'done').files, 1);
    });

    it(`${platform}: what a killed receiver had goes on`, async (t: TestContext) => {
      const work = workspace(t);
      makeFile(work.path('one.bin'), SIZE);
      const { sender, code, port } = await work.sender([work.path('one.bin')], on(platform, work));
      const to = work.folder('out');
      const receive = (...more: string[]) =>
        work.receiver(code, port, ['--to', to, ...more], on(platform, work));
      const first = receive('--limit', '2M');
      await journaled(to);
      await first.kill();
      assert.equal((await work.start(['resume', to], on(platform, work)).ends(0)).events[0]!.active, false);
      const received = await receive().ends(0);
      await sender.ends(0);
      assert.ok(Number(event(received, 'resumed').bytes) > 0);
      sameFile(work.path('one.bin'), work.path('out', 'one.bin'));
      assert.deepEqual(readdirSync(to), ['one.bin']);
    });

    it(`${platform}: keys and settings are in this user's own folder`, async (t: TestContext) => {
      const work = workspace(t);
      const own =
        platform === 'win32' ? work.path('roaming', 'beeline') : work.path('home', '.config', 'beeline');
      const run = (...args: string[]) => work.start(args, { ...on(platform, work), json: false }).ends(0);
      assert.match((await run('trust')).stdout.toString(), /bl1/);
      assert.ok(existsSync(own));
      await run('config', 'set', 'lanes', '3');
      const path = (await run('config', 'path')).stdout.toString().trim();
      assert.equal(path, `${own}/${basename(path)}`);
      assert.match((await run('config')).stdout.toString(), /lanes.*3/);
      assert.equal(statSync(path).mode & 0o777, 0o600);
    });

    it(`${platform}: a look at the network ends without a table of routes`, async (t: TestContext) => {
      const work = workspace(t);
      const ended = await work.start(['doctor'], {
        ...on(platform, work),
        env: { ...on(platform, work).env, SystemRoot: work.dir },
      }).exited;
      assert.ok([0, 6].includes(Number(ended.status)), `${ended.status} ${ended.stderr}`);
    });
  }
});
