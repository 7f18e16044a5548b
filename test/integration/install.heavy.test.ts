/** The package as people install it: the tarball in an empty folder, globally and by npx, and a git address. npm asks its registry. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { clean, name, ROOT, TARBALL, version } from './packed.ts';

const LIMIT = { timeout: 900_000 };

describe('integration: the package as it is installed', LIMIT, () => {
  let dir: string;
  let tarball: string;
  const run = (cwd: string, command: string, ...args: string[]): string => {
    mkdirSync(join(dir, cwd), { recursive: true });
    return execFileSync(command, args, {
      cwd: join(dir, cwd),
      env: { ...clean, npm_config_update_notifier: 'false', npm_config_prefer_offline: 'true' },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  };
  const quiet = ['--no-audit', '--no-fund', '--ignore-scripts'];

  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'beeline-install-'));
    execFileSync('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', dir], {
      cwd: ROOT,
      env: clean,
    });
    tarball = join(dir, TARBALL);
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

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

  it('from a git address, which is built on the way', () => {
    const origin = join(dir, 'origin');
    const files = execFileSync(
      'git',
      ['-c', 'safe.directory=*', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
      {
        cwd: ROOT,
        encoding: 'utf8',
        maxBuffer: 2 ** 26,
      },
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
