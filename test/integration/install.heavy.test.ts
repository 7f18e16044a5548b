/** The package as people install it: the tarball in an empty folder, globally and by npx. npm asks its registry. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { INSTALL_LIMIT, type Newcomer, newcomer } from './newcomer.ts';
import { clean, name, ROOT, TARBALL, version } from './packed.ts';

describe('integration: the package as it is installed', INSTALL_LIMIT, () => {
  let dir: string;
  let tarball: string;
  let run: Newcomer['run'];
  let remove: Newcomer['remove'];
  const quiet = ['--no-audit', '--no-fund', '--ignore-scripts'];

  before(() => {
    ({ dir, run, remove } = newcomer());
    execFileSync('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', dir], {
      cwd: ROOT,
      env: clean,
    });
    tarball = join(dir, TARBALL);
  });
  after(() => remove());

  it('in an empty folder: the command and the library run, and a text goes from one to the other', () => {
    mkdirSync(join(dir, 'empty'));
    writeFileSync(join(dir, 'empty/package.json'), '{"type":"module","private":true}');
    run('empty', 'npm', 'install', ...quiet, tarball);
    assert.equal(run('empty', 'node_modules/.bin/beeline', '--version').trim(), version);
    writeFileSync(
      join(dir, 'empty/try.js'),
      `import { receive, send } from '${name}';
      const sender = send({ text: 'hello' }, { lan: false, at: '127.0.0.1:0' });
      let port;
      for await (const event of sender) {
        if (event.event === 'listening') port = event.port;
        if (event.event !== 'code') continue;
        const receiver = receive({ code: event.code, lan: false, at: '127.0.0.1:' + port, accept: 'all' });
        receiver.subscribe((event) => event.event === 'text' && console.log(event.text));
        await receiver.done;
      }
      await sender.done;`,
    );
    assert.equal(run('empty', process.execPath, 'try.js').trim(), 'hello');
  });

  it('globally, below a folder of its own', () => {
    run('global', 'npm', 'install', '--global', '--prefix', join(dir, 'prefix'), ...quiet, tarball);
    assert.equal(run('global', join(dir, 'prefix/bin/beeline'), '--version').trim(), version);
  });

  it('by npx, once', () => {
    assert.equal(
      run('once', 'npx', '--yes', '--package', tarball, '--', 'beeline', '--version').trim(),
      version,
    );
  });
});
