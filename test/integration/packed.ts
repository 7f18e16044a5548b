/** The tarball as a program's author gets it: packed, unpacked elsewhere, with the packages that it asks for. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const { name, version, dependencies, optionalDependencies } = JSON.parse(
  readFileSync(join(ROOT, 'package.json'), 'utf8'),
);

const CONSUMER = `
import { BeelineError, diagnose, discard, KnownDevices, receive, send, unfinished, verify } from '${name}';
import type { OfferSummary, Result, SendOptions, Transfer, TransferEvent } from '${name}';
import { createRendezvous, startServer, type RunningServer } from '${name}/server';
import { receive as receiveInPage, send as sendFromPage } from '${name}/browser';
import { PassThrough, Readable } from 'node:stream';

const options: SendOptions = { lan: false, stdin: Readable.from([new Uint8Array(3)]) };
const sender: Transfer = send(['-'], options);
for await (const event of sender) {
  console.log(told(event));
}
// Each kind of event has what is its own, and no kind is left over.
function told(event: TransferEvent): string | number | null | undefined {
  switch (event.event) {
    case 'code': return event.code;
    case 'web': case 'http': return event.links[0];
    case 'download': return event.whole ? event.size : event.bytes;
    case 'downloaded': return event.address;
    case 'listening': return event.port;
    case 'state': return event.from + event.to;
    case 'peer': return event.fingerprint;
    case 'reading': return event.files;
    case 'manifest': return event.chunkSize;
    case 'resumed': return event.bytes;
    case 'lane': return event.status === 'open' ? event.remote : event.reason;
    case 'progress': return event.eta;
    case 'whole': return event.names[0];
    case 'server': return event.reachable ? 'there' : event.message;
    case 'warning': return event.path ?? event.values?.count;
    case 'ended': return event.message;
    case 'swarm': return event.from + event.to;
    case 'text': return event.text;
    case 'trusted': return event.name + event.key;
    case 'digest': return event.sha256;
    case 'placed': return event.as ?? event.path;
    case 'done': return event.root;
    case 'error': return event.code;
    default: { const none: never = event; return none; }
  }
}
// @ts-expect-error A kind has nothing of another one.
export const links = (event: TransferEvent) => event.event === 'code' && event.links;
// @ts-expect-error Who receives must decide.
export const undecided = () => receive({ code: '7-velvet-canyon' });
export const all = () => receive({ code: '7-velvet-canyon', accept: 'all' });
const result: Result = await sender.done;
const accept = (offer: OfferSummary): boolean => offer.files > 0;
receive({ code: '7-velvet-canyon', to: '-', stdout: new PassThrough(), accept }).cancel();
const server: RunningServer = await startServer({ port: 0, stun: false });
await server.close();
const error: unknown = new BeelineError('USAGE', 'x');
export { createRendezvous, diagnose, discard, error, KnownDevices, receiveInPage, result, sendFromPage, unfinished, verify };
`;

/** What npm calls the file that it packs. */
export const TARBALL = `${name.slice(1).replace('/', '-')}-${version}.tgz`;

/** The environment without what npm says to its scripts. */
export const clean = { ...process.env };
for (const name of Object.keys(clean)) if (/^npm_/i.test(name)) delete clean[name];

/** @returns a program's folder, in whose node_modules the package is */
export function installPacked(): string {
  const dir = mkdtempSync(join(tmpdir(), 'beeline-package-'));
  // Without its scripts: `prepare` would build, under the feet of tests that run what is built.
  execFileSync('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', dir], {
    cwd: ROOT,
    env: clean,
  });
  const installed = join(dir, 'node_modules', name);
  mkdirSync(installed, { recursive: true });
  const tarball = join(dir, TARBALL);
  execFileSync('tar', ['-xzf', tarball, '--strip-components=1', '-C', installed]);
  // What an installation would bring: the packages it asks for and theirs, and none of those that only we need.
  const needed = new Set<string>();
  const add = (name: string, from = join(ROOT, 'node_modules')) => {
    if (needed.has(name)) return;
    const manifest = readJson(join(from, name, 'package.json'));
    if (!manifest) return;
    needed.add(name);
    for (const other of Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies }))
      add(other);
  };
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) add(name);
  for (const name of needed) {
    mkdirSync(join(dir, 'node_modules', name, '..'), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', name), join(dir, 'node_modules', name));
  }
  writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
  return dir;
}

export function readJson(path: string) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/** A program that uses the whole interface is checked strictly, and the types of all packages with it. */
export function checkTypes(dir: string, compiler: string, module: string, moduleResolution: string): void {
  writeFileSync(join(dir, 'consumer.ts'), CONSUMER);
  const compilerOptions = {
    ...{
      module,
      moduleResolution,
      target: 'ES2023',
      lib: ['ES2023', 'DOM', 'DOM.Iterable'],
      types: ['node'],
    },
    ...{
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
    },
    ...{ noEmit: true, preserveSymlinks: true },
  };
  writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['consumer.ts'] }));
  try {
    execFileSync(process.execPath, [join(ROOT, 'node_modules', compiler, 'bin/tsc'), '-p', dir], {
      cwd: dir,
      encoding: 'utf8',
      timeout: 600_000,
    });
  } catch (error) {
    assert.fail((error as { stdout: string }).stdout);
  }
}

export const RESOLUTIONS = [
  ['NodeNext', 'NodeNext'],
  ['ESNext', 'bundler'],
] as const;
