/** What package managers get: the formula, the manifests and the Debian package are well formed, and hold what they should. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { parse } from 'yaml';

const { version, homepage } = JSON.parse(readFileSync('package.json', 'utf8'));
const RELEASE = `${homepage.replace('#readme', '')}/releases/download/v${version}`;
/** As the release workflow builds them. */
const EXECUTABLES: string[] = parse(
  readFileSync('.github/workflows/release.yml', 'utf8'),
).jobs.executables.strategy.matrix.include.map(({ file }: { file: string }) => file);

function folder(t: TestContext): string {
  const made = mkdtempSync(join(tmpdir(), 'beeline-packaging-'));
  t.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

const sumOf = (file: string) => (EXECUTABLES.indexOf(file) + 10).toString(16).padEnd(64, '0');

function formulas(t: TestContext): string {
  const dir = folder(t);
  for (const file of EXECUTABLES) writeFileSync(join(dir, `${file}.sha256`), `${sumOf(file)}  ${file}\n`);
  execFileSync(process.execPath, ['scripts/packaging.mjs', 'formulas', dir]);
  return dir;
}

test('the formula names an executable of the release for each platform, with its checksum', (t) => {
  const text = readFileSync(join(formulas(t), 'beeline.rb'), 'utf8');
  assert.doesNotMatch(text.replace('#{bin}', ''), /[{}]/, 'nothing is left to fill in');
  const pairs = [...text.matchAll(/url "(.+)"\n +sha256 "([0-9a-f]{64})"/g)].map(([, url, sum]) => [
    url,
    sum,
  ]);
  const expected = EXECUTABLES.filter((file) => !file.includes('windows'));
  assert.deepEqual(pairs.sort(), expected.map((file) => [`${RELEASE}/${file}`, sumOf(file)]).sort());
  // As Homebrew calls it: `beeline completion SHELL` for each, and where Homebrew keeps manual pages.
  const shells =
    /generate_completions_from_executable\(bin\/"beeline", "completion", shells: \[(.*)\]\)/.exec(text);
  assert.equal(shells?.[1], ':bash, :zsh, :fish');
  assert.match(
    text,
    /\(man1\/"beeline\.1"\)\.write Utils\.safe_popen_read\(bin\/"beeline", "help", "--man"\)/,
  );
  // Ruby's blocks: each that begins ends.
  const begins = text.match(/^\s*(class|def)\b|\bdo$/gm) ?? [];
  assert.equal(text.match(/^\s*end$/gm)?.length, begins.length);
  assert.match(text, /^class Beeline < Formula$/m);
  assert.match(text, new RegExp(`version "${version.replaceAll('.', '\\.')}"`));
});

test('the three manifests of winget have what its schema asks for', (t) => {
  const dir = join(formulas(t), 'winget');
  const read = (kind: string) =>
    parse(readFileSync(join(dir, `BeelineTransfer.Beeline${kind}.yaml`), 'utf8'));
  const [main, locale, installer] = ['', '.locale.en-US', '.installer'].map(read);
  for (const [manifest, type] of [
    [main, 'version'],
    [locale, 'defaultLocale'],
    [installer, 'installer'],
  ]) {
    assert.equal(manifest.PackageIdentifier, 'BeelineTransfer.Beeline');
    assert.deepEqual(
      [manifest.PackageVersion, manifest.ManifestType, manifest.ManifestVersion],
      [version, type, '1.6.0'],
    );
  }
  assert.equal(main.DefaultLocale, locale.PackageLocale);
  for (const key of ['Publisher', 'PackageName', 'License', 'ShortDescription']) assert.ok(locale[key], key);
  for (const { Architecture, InstallerUrl, InstallerSha256 } of installer.Installers) {
    const file = `beeline-windows-${Architecture}.exe`;
    assert.deepEqual([InstallerUrl, InstallerSha256], [`${RELEASE}/${file}`, sumOf(file).toUpperCase()]);
    assert.ok(EXECUTABLES.includes(file));
  }
  assert.equal(installer.InstallerType, 'portable');
});

test('a checksum that is missing is named, and nothing is written', (t) => {
  const { status, stderr } = spawnSync(process.execPath, ['scripts/packaging.mjs', 'formulas', folder(t)], {
    encoding: 'utf8',
  });
  assert.equal(status, 1);
  assert.match(stderr, /There is no checksum of beeline-macos-arm64/);
});

const dpkg = spawnSync('dpkg-deb', ['--version']).status === 0;
test('the Debian package has the command, its units, and a control file that dpkg reads', {
  skip: !dpkg && 'there is no dpkg-deb',
}, (t) => {
  const dir = folder(t);
  writeFileSync(join(dir, 'executable'), '#!/bin/sh\necho it runs\n');
  const target = join(dir, 'beeline.deb');
  const made = ['scripts/packaging.mjs', 'deb', join(dir, 'executable'), 'amd64', target];
  // Under a umask that lets nobody else read.
  execFileSync('sh', ['-c', 'umask 077; exec "$@"', 'sh', process.execPath, ...made]);
  const sum = createHash('sha256').update(readFileSync(target)).digest('hex');
  assert.equal(readFileSync(`${target}.sha256`, 'utf8'), `${sum}  beeline.deb\n`);
  const field = (name: string) =>
    execFileSync('dpkg-deb', ['--field', target, name], { encoding: 'utf8' }).trim();
  assert.deepEqual(['Package', 'Version', 'Architecture'].map(field), ['beeline', version, 'amd64']);
  assert.ok(Number(field('Installed-Size')) > 0);
  const listed = execFileSync('dpkg-deb', ['--contents', target], { encoding: 'utf8' });
  assert.match(listed, /^-rwxr-xr-x root\/root .* \.\/usr\/bin\/beeline$/m);
  for (const line of listed.trim().split('\n'))
    assert.match(line, line.endsWith('/') ? /^drwxr-xr-x / : /^-rw[x-]r-[x-]r-[x-] /);
  for (const path of [
    'doc/beeline/copyright',
    'doc/beeline/changelog.gz',
    'doc/beeline/licences.gz',
    'doc/beeline/examples/server.yaml',
    'man/man1/beeline.1.gz',
    'bash-completion/completions/beeline',
    'zsh/vendor-completions/_beeline',
    'fish/vendor_completions.d/beeline.fish',
  ])
    assert.match(listed, new RegExp(`^-rw-r--r-- root/root .* \\./usr/share/${path}$`, 'm'));
  assert.match(listed, /usr\/lib\/systemd\/system\/beeline-server\.service$/m);
  execFileSync('dpkg-deb', ['--extract', target, join(dir, 'out')]);
  assert.equal(execFileSync(join(dir, 'out/usr/bin/beeline'), { encoding: 'utf8' }), 'it runs\n');
  const share = (path: string) => readFileSync(join(dir, 'out/usr/share', path));
  assert.match(gunzipSync(share('man/man1/beeline.1.gz')).toString(), /^\.TH BEELINE 1 /im);
  for (const [path, begun] of [
    ['bash-completion/completions/beeline', /^complete /m],
    ['zsh/vendor-completions/_beeline', /^#compdef beeline/],
    ['fish/vendor_completions.d/beeline.fish', /^complete -c beeline/m],
  ] as const)
    assert.match(share(path).toString(), begun);
  const licences = gunzipSync(readFileSync(join(dir, 'out/usr/share/doc/beeline/licences.gz'))).toString();
  for (const holder of ['Node.js v', 'ws 8', 'yaml 2', 'udx-native 1'])
    assert.ok(licences.includes(holder), holder);
});
