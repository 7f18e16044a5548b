/** `receive --open`: the folder is shown where there is a desktop, and nothing else is ever opened. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { dispatch } from '../../src/cli/dispatch.ts';
import { folderOpener, openFolder } from '../../src/cli/open-folder.ts';
import type { TransferEvent } from '../../src/node/api.ts';
import { scratch } from '../node/files/helpers.ts';
import { type FakeTransfer, fakeHost } from './fakes.ts';

const offered = (kind: 'files' | 'text'): TransferEvent => ({
  ...{ event: 'manifest', kind, files: 1, folders: 0, links: 0, bytes: 1, chunkSize: 1 << 20 },
});
const CODE = '7-velvet-canyon';

describe('cli: --open', () => {
  it('knows who shows a folder, and where nobody does', () => {
    assert.deepEqual(folderOpener('linux', { DISPLAY: ':0' }), ['xdg-open']);
    assert.deepEqual(folderOpener('linux', { WAYLAND_DISPLAY: 'wayland-0' }), ['xdg-open']);
    assert.equal(folderOpener('linux', { DISPLAY: '' }), undefined);
    assert.deepEqual(folderOpener('darwin', {}), ['/usr/bin/open', '-a', 'Finder']);
    assert.equal(folderOpener('darwin', { SSH_CONNECTION: 'x' }), undefined);
    assert.deepEqual(folderOpener('win32', {}), ['C:\\Windows\\explorer.exe']);
    assert.deepEqual(folderOpener('win32', { SystemRoot: 'D:\\Win' }), ['D:\\Win\\explorer.exe']);
  });

  it('starts the program with the folder, and says if there is none', {
    skip: process.platform === 'win32' && 'needs a script',
  }, async (t) => {
    const dir = scratch(t);
    const program = join(dir, 'opener');
    writeFileSync(program, `#!/bin/sh\nprintf '%s\\n' "$@" > '${dir}/said'\n`);
    chmodSync(program, 0o700);
    const child = await openFolder([program, '-a', 'word'], dir);
    child.ref();
    if (child.exitCode === null) await once(child, 'exit');
    assert.equal(readFileSync(join(dir, 'said'), 'utf8'), `-a\nword\n${dir}\n`);
    await assert.rejects(openFolder([join(dir, 'none')], dir), { code: 'ENOENT' });
  });

  it('shows the folder once all is there: not for a text, not after a failure', async () => {
    for (const [kind, fails, wanted] of [
      ['files', false, [resolve('in')]],
      ['text', false, []],
      ['files', true, []],
    ] as const) {
      const shown: string[] = [];
      const host = fakeHost({
        desktop: async (folder) => shown.push(folder),
        receive(transfer: FakeTransfer) {
          transfer.emit(offered(kind));
          assert.deepEqual(shown, []);
          if (fails) transfer.fail('REFUSED', 'No.');
          else transfer.finish();
        },
      });
      const status = await dispatch(['receive', CODE, '--yes', '--open', '--to', 'in'], host);
      assert.equal(status, fails ? 7 : 0);
      assert.deepEqual(shown, wanted);
    }
    const asked: string[] = [];
    const host = fakeHost({
      desktop: async (folder) => asked.push(folder),
      receive(transfer) {
        transfer.emit(offered('files'));
        transfer.finish();
      },
    });
    assert.equal(await dispatch(['receive', CODE, '--yes'], host), 0);
    assert.deepEqual(asked, []);
  });

  it('what cannot be shown fails nothing; without a desktop nobody is met', async () => {
    const script = (transfer: FakeTransfer) => {
      transfer.emit(offered('files'));
      transfer.finish();
    };
    const desktop = () => Promise.reject(new Error('no such program'));
    const host = fakeHost({ desktop, receive: script });
    assert.equal(await dispatch(['receive', CODE, '--yes', '--open'], host), 0);
    assert.match(host.stderr.text, /^Warning: the folder could not be shown: no such program$/m);
    for (const argv of [
      ['receive', CODE, '--yes', '--open'],
      ['receive', 'https://h.example/f', '--open'],
    ]) {
      const bare = fakeHost({ receive: () => assert.fail('met'), download: () => assert.fail('met') });
      assert.equal(await dispatch(argv, bare), 2);
      assert.match(bare.stderr.text, /--open needs a desktop, and there is none here/);
    }
    const stdout = fakeHost({ desktop });
    assert.equal(await dispatch(['receive', CODE, '--open', '--to', '-'], stdout), 2);
  });
});
