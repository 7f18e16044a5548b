// Fills in the files of packaging/ for a release.
//
//   node scripts/packaging.mjs formulas FOLDER     FOLDER has the executables' checksums (*.sha256); it gets beeline.rb and winget/
//   node scripts/packaging.mjs deb EXECUTABLE ARCHITECTURE FILE.deb     ARCHITECTURE: amd64 or arm64. It needs dpkg-deb
//   node scripts/packaging.mjs licences FILE       of Node and of all packages that an executable may hold
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { readChecksum, writeChecksum } from './checksum.mjs';

/** Where Debian's shells look for what a package brings. */
const COMPLETIONS = {
  bash: 'usr/share/bash-completion/completions/beeline',
  zsh: 'usr/share/zsh/vendor-completions/_beeline',
  fish: 'usr/share/fish/vendor_completions.d/beeline.fish',
};
const { version, homepage } = JSON.parse(readFileSync('package.json', 'utf8'));
const [what, ...args] = process.argv.slice(2);
if (what === 'formulas' && args.length === 1) formulas(...args);
else if (what === 'deb' && args.length === 3) deb(...args);
else if (what === 'licences' && args.length === 1) writeFileSync(args[0], licences());
else {
  console.error(
    'node scripts/packaging.mjs formulas FOLDER | deb EXECUTABLE ARCHITECTURE FILE.deb | licences FILE',
  );
  process.exitCode = 2;
}

function formulas(folder) {
  const sums = new Map();
  for (const name of readdirSync(folder).filter((name) => name.endsWith('.sha256'))) {
    const { sum, file } = readChecksum(join(folder, name));
    sums.set(file, sum);
  }
  const sumOf = (file) => {
    const sum = sums.get(file);
    if (!sum) throw new Error(`There is no checksum of ${file} in ${folder}`);
    return sum;
  };
  const release = `${homepage.replace('#readme', '')}/releases/download/v${version}`;
  const filled = (path) =>
    readFileSync(path, 'utf8')
      .replaceAll('{version}', version)
      .replaceAll('{release}', release)
      .replace(/\{sha256 (\S+)\}/g, (_, file) => sumOf(file))
      .replace(/\{SHA256 (\S+)\}/g, (_, file) => sumOf(file).toUpperCase())
      .replace(/^# (The formula|Three files).*\n/, '');
  writeFileSync(join(folder, 'beeline.rb'), filled('packaging/homebrew/beeline.rb'));
  const id = 'BeelineTransfer.Beeline';
  const manifests = filled(`packaging/winget/${id}.yaml`).split('---\n');
  mkdirSync(join(folder, 'winget'), { recursive: true });
  for (const [at, kind] of ['', '.locale.en-US', '.installer'].entries())
    writeFileSync(join(folder, 'winget', `${id}${kind}.yaml`), manifests[at]);
  console.log(`${join(folder, 'beeline.rb')}, ${join(folder, 'winget')}: version ${version}`);
}

/** The texts of the licences, each under the names of those that have it. */
function licences() {
  const holders = new Map();
  const add = (holder, text) => holders.set(text, [...(holders.get(text) ?? []), holder]);
  const bin = dirname(process.execPath);
  // As it is unpacked from nodejs.org, and as Debian has it.
  const node = [join(bin, '../LICENSE'), join(bin, 'LICENSE'), '/usr/share/doc/nodejs/LICENSE'].find(
    existsSync,
  );
  const elsewhere = `It is at https://github.com/nodejs/node/blob/${process.version}/LICENSE`;
  add(`Node.js ${process.version}`, node ? readFileSync(node, 'utf8').trim() : elsewhere);
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
  for (const [path, { dev, devOptional, version, license }] of Object.entries(packages)) {
    // Optional parts for other platforms are not installed.
    if (path === '' || dev || devOptional || !existsSync(path)) continue;
    const name = `${path.slice(path.lastIndexOf('node_modules/') + 13)} ${version}`;
    const files = readdirSync(path).filter((file) => /^(licen[cs]e|copying|notice)\b/i.test(file));
    for (const file of files) add(name, readFileSync(join(path, file), 'utf8').trim());
    if (files.length === 0) add(name, `${license}. The package has no text of its own.`);
  }
  const rule = '-'.repeat(80);
  return [...holders].map(([text, names]) => `${names.join('\n')}\n\n${text}\n`).join(`\n${rule}\n`);
}

function deb(executable, architecture, target) {
  // Whatever that of whoever runs this is: others read what is installed.
  process.umask(0o022);
  const root = mkdtempSync(join(tmpdir(), 'beeline-deb-'));
  try {
    chmodSync(root, 0o755);
    const put = (path, bytes, mode = 0o644) => {
      mkdirSync(join(root, path, '..'), { recursive: true, mode: 0o755 });
      writeFileSync(join(root, path), bytes);
      chmodSync(join(root, path), mode);
    };
    mkdirSync(join(root, 'usr/bin'), { recursive: true });
    copyFileSync(executable, join(root, 'usr/bin/beeline'));
    chmodSync(join(root, 'usr/bin/beeline'), 0o755);
    put('usr/share/doc/beeline/copyright', readFileSync('packaging/debian/copyright'));
    put('usr/share/doc/beeline/licences.gz', gzipSync(licences(), { level: 9 }));
    put('usr/share/doc/beeline/changelog.gz', gzipSync(readFileSync('CHANGELOG.md'), { level: 9 }));
    // As the built command prints them, which is the one in the executable.
    put('usr/share/man/man1/beeline.1.gz', gzipSync(readFileSync('dist/beeline.1'), { level: 9 }));
    for (const [shell, path] of Object.entries(COMPLETIONS))
      put(path, execFileSync(process.execPath, ['dist/cli/main.js', 'completion', shell]));
    // Neither is started by itself.
    put('usr/lib/systemd/system/beeline-server.service', readFileSync('deploy/beeline-server.service'));
    put('usr/lib/systemd/user/beeline-listen.service', readFileSync('deploy/beeline-listen.service'));
    put('usr/share/doc/beeline/examples/server.yaml', readFileSync('deploy/server.yaml'));
    const bytes = readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
    const control = readFileSync('packaging/debian/control', 'utf8')
      // `1.0.0-rc.1` comes before `1.0.0` only if it is written so.
      .replace('{version}', version.replace('-', '~'))
      .replace('{architecture}', architecture)
      .replace('{kilobytes}', String(Math.ceil(bytes / 1024)));
    put('DEBIAN/control', control);
    execFileSync('dpkg-deb', ['--build', '--root-owner-group', '-Zxz', '-z6', root, target], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  writeChecksum(target);
  console.log(`${target}: ${(statSync(target).size / 1e6).toFixed(1)} MB`);
}
