// Makes a single file that needs no Node: Node's own executable with the built command in it (Node's "single executable application").
//
//   npm run executable                    build/beeline-linux-x64, with its checksum beside it
//   npm run executable -- FILE
//
// It is for the platform that runs this: the executable is a copy of the Node that runs it, and optional native parts are those
// that are installed. Run it after `npm run build`.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
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
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';
import { writeChecksum } from './checksum.mjs';

const { platform, arch } = process;
const windows = platform === 'win32';
const [
  target = `build/beeline-${windows ? 'windows' : platform === 'darwin' ? 'macos' : platform}-${arch}${windows ? '.exe' : ''}`,
] = process.argv.slice(2);
// Node looks for it, and postject turns its last digit from 0 to 1.
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';
/** What scripts/build.mjs does not bundle, and loads when it is needed. */
const LOADED = ['pino', 'prom-client', 'yaml', 'ioredis', 'socks', 'udx-native', 'hyperdht'];
const { optionalDependencies } = readJson('package.json');

const files = new Map();
for (const path of readdirSync('dist', { recursive: true }).map(String))
  if (isNeeded(path) && /^(cli|threads|chunks|web|uploads)\b/.test(path)) add(join('dist', path));
// The command, and what its threads import, read it.
add('package.json');
const packages = new Set();
for (const name of [...LOADED, ...Object.keys(optionalDependencies)]) addPackage(name, 'node_modules');
const absent = Object.keys(optionalDependencies).filter((name) => !packages.has(name));

const parts = [...files].sort(([a], [b]) => (a < b ? -1 : 1));
const head = Buffer.from(JSON.stringify(parts.map(([path, bytes]) => [path, bytes.length])));
const length = Buffer.alloc(4);
length.writeUInt32LE(head.length);
const packed = brotliCompressSync(Buffer.concat([length, head, ...parts.map(([, bytes]) => bytes)]), {
  params: { [constants.BROTLI_PARAM_QUALITY]: 9 },
});

const work = mkdtempSync(join(tmpdir(), 'beeline-executable-'));
try {
  const at = (name) => join(work, name);
  writeFileSync(at('parts'), packed);
  writeFileSync(at('id'), createHash('sha256').update(packed).digest('hex').slice(0, 32));
  const config = {
    ...{ main: 'scripts/executable-start.cjs', output: at('blob'), disableExperimentalSEAWarning: true },
    ...{ useSnapshot: false, useCodeCache: false, assets: { parts: at('parts'), id: at('id') } },
  };
  writeFileSync(at('config.json'), JSON.stringify(config));
  execFileSync(process.execPath, ['--experimental-sea-config', at('config.json')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  mkdirSync(dirname(target), { recursive: true });
  rmSync(target, { force: true });
  copyFileSync(process.execPath, target);
  chmodSync(target, 0o755);
  // What was signed is not that any more.
  if (platform === 'darwin') execFileSync('codesign', ['--remove-signature', target]);
  const { inject } = createRequire(import.meta.url)('postject');
  await inject(target, 'NODE_SEA_BLOB', readFileSync(at('blob')), {
    sentinelFuse: FUSE,
    ...(platform === 'darwin' && { machoSegmentName: 'NODE_SEA' }),
  });
  if (platform === 'darwin') execFileSync('codesign', ['--sign', '-', target]);
} finally {
  rmSync(work, { recursive: true, force: true });
}
writeChecksum(target);
const mega = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
console.log(
  `${target}: ${mega(statSync(target).size)}, ${mega(packed.length)} of it Beeline with ${packages.size / 2} packages. Node ${process.version}.`,
);
if (absent.length > 0) console.log(`Without ${absent.join(', ')}: not installed here.`);

function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}

function isNeeded(path) {
  return (
    /\.(c?js|mjs|json|node|css|html|svg|png|webmanifest|wasm|txt|map|woff2)$/.test(path) &&
    !/\.(d\.[cm]?ts|map)$/.test(path)
  );
}

function add(path) {
  files.set(path.replaceAll('\\', '/'), readFileSync(path));
}

/** A package with all that it needs itself; those that are not installed, as for another platform, are done without. */
function addPackage(name, from) {
  const folder = [join(from, name), join('node_modules', name)].find((each) =>
    existsSync(join(each, 'package.json')),
  );
  if (!folder || packages.has(folder)) return;
  packages.add(name).add(folder);
  for (const path of readdirSync(folder, { recursive: true }).map(String)) {
    const whole = join(folder, path);
    const [top, kind] = path.split(/[\\/]/);
    // Binaries of other platforms, what is only for developers, and sources of what is built.
    const other = top === 'prebuilds' && kind !== `${platform}-${arch}`;
    const spare =
      /^(test|tests|docs?|example|examples|bench|benchmarks|src|vendor|\.github)$/.test(top) &&
      name !== 'node-datachannel';
    if (other || (spare && !isCode(folder, top)) || path.includes('node_modules') || !isNeeded(path))
      continue;
    if (statSync(whole).isFile()) add(whole);
  }
  const { dependencies, optionalDependencies: optional } = readJson(join(folder, 'package.json'));
  for (const other of Object.keys({ ...dependencies, ...optional }))
    addPackage(other, join(folder, 'node_modules'));
}

/** Some packages run from `src`. */
function isCode(folder, top) {
  const { main = '', exports } = readJson(join(folder, 'package.json'));
  return top === 'src' && JSON.stringify([main, exports ?? '']).includes('src/');
}
