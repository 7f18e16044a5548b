/** The package from a git address, which npm builds on the way. npm asks its registry. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { INSTALL_LIMIT, type Newcomer, newcomer } from './newcomer.ts';
import { name, ROOT, version } from './packed.ts';

describe('integration: the package from a git address', INSTALL_LIMIT, () => {
  let dir: string;
  let env: Newcomer['env'];
  let run: Newcomer['run'];
  let remove: Newcomer['remove'];

  before(() => {
    ({ dir, env, run, remove } = newcomer());
  });
  after(() => remove());

  it('is built, and runs', () => {
    const origin = join(dir, 'origin');
    const files = execFileSync(
      'git',
      ['-c', 'safe.directory=*', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
      { cwd: ROOT, env, encoding: 'utf8', maxBuffer: 2 ** 26 },
    );
    for (const path of files.split('\0').filter((path) => path && !/^(test|bench|lab)\//.test(path))) {
      mkdirSync(dirname(join(origin, path)), { recursive: true });
      cpSync(join(ROOT, path), join(origin, path));
    }
    run('origin', 'git', 'init', '--quiet');
    run('origin', 'git', 'add', '--all');
    const author = ['-c', 'user.name=x', '-c', 'user.email=x@example.org'];
    run('origin', 'git', ...author, 'commit', '--quiet', '--no-gpg-sign', '--message', 'x');
    mkdirSync(join(dir, 'git'));
    writeFileSync(join(dir, 'git/package.json'), '{"private":true}');
    // With scripts: `prepare` builds.
    run('git', 'npm', 'install', '--no-audit', '--no-fund', `git+file://${origin}`);
    assert.equal(run('git', 'node_modules/.bin/beeline', '--version').trim(), version);
    const manifest = JSON.parse(readFileSync(join(dir, 'git/node_modules', name, 'package.json'), 'utf8'));
    assert.equal(manifest.name, name);
  });
});
