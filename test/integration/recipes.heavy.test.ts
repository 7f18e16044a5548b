/** The recipes of docs/recipes: compiled strictly against the packed tarball, with both resolutions, and run together. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { installPacked, RESOLUTIONS, ROOT } from './packed.ts';

/** What a recipe's author has beside the package, and what their types ask for. */
const BESIDE = [
  ...['fastify', 'hono', '@hono/node-server', 'express', '@types/express', 'react', 'react-dom'],
  ...['@types/react', '@types/react-dom', 'electron'],
];
/** In Node, and in a page. */
const PROGRAMS = [
  { lib: ['ES2023'], types: ['node'], files: /^[^.]+\.ts$|\.cjs$/ },
  { lib: ['ES2023', 'DOM', 'DOM.Iterable'], types: [], files: /\.tsx$|\.js$/ },
];

describe('integration: recipes', { timeout: 300_000 }, () => {
  let dir: string;
  const recipes = readdirSync(join(ROOT, 'docs/recipes'), { recursive: true })
    .map(String)
    .filter((name) => /\.(tsx?|c?js)$/.test(name));
  const running = new Set<ChildProcess>();

  before(() => {
    dir = installPacked();
    cpSync(join(ROOT, 'docs/recipes'), dir, { recursive: true });
    for (const name of BESIDE)
      if (!existsSync(join(dir, 'node_modules', name))) {
        mkdirSync(join(dir, 'node_modules', dirname(name)), { recursive: true });
        symlinkSync(join(ROOT, 'node_modules', name), join(dir, 'node_modules', name));
      }
    // In the place of Electron, for what is compiled.
    const electron = join(dir, 'out/node_modules/electron');
    cpSync(join(ROOT, 'test/integration/electron-stand-in.mjs'), join(electron, 'index.mjs'));
    writeFileSync(join(electron, 'package.json'), '{"main":"index.mjs"}');
  });
  after(() => {
    for (const child of running) child.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  });

  for (const [module, moduleResolution] of RESOLUTIONS)
    it(`compile strictly with ${moduleResolution} resolution`, () => {
      const compiled = PROGRAMS.flatMap(({ lib, types, files: which }) => {
        const files = recipes.filter((name) => which.test(name));
        const compilerOptions = {
          ...{ module, moduleResolution, target: 'ES2023', lib, types, jsx: 'react-jsx', strict: true },
          ...{ exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: true },
          ...{ allowJs: true, checkJs: true, rootDir: dir, outDir: join(dir, 'out') },
        };
        writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
        try {
          execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript-7/bin/tsc'), '-p', dir], {
            ...{ cwd: dir, encoding: 'utf8' },
          });
        } catch (error) {
          assert.fail((error as { stdout: string }).stdout);
        }
        return files;
      });
      assert.deepEqual(compiled.sort(), [...recipes].sort());
    });

  interface Started {
    /** Where it listens. */
    url: string;
    ended: Promise<unknown>;
    child: ChildProcess;
  }

  /** Tells it to end, and waits until it has by itself. */
  async function stop({ child, ended }: Started): Promise<void> {
    child.kill('SIGTERM');
    assert.equal(await ended, 0);
    running.delete(child);
  }

  async function start(name: string, env: Record<string, string>): Promise<Started> {
    const child = spawn(process.execPath, [join(dir, 'out', name)], {
      ...{ cwd: dir, env: { ...process.env, PORT: '0', ...env }, stdio: ['ignore', 'pipe', 'inherit'] },
    });
    running.add(child);
    const ended = new Promise((resolve) => child.on('close', resolve));
    const url = await new Promise<string>((resolve, reject) => {
      child.stdout!.setEncoding('utf8').once('data', (text: string) => resolve(text.trim()));
      child.on('close', (code) => reject(new Error(`${name} ended with ${code}`)));
    });
    return { url, ended, child };
  }

  it('run: what is posted to the one is fetched from the other, and both end by themselves', async () => {
    const bytes = randomBytes(2_000_000);
    const share = await start('fastify.js', { BEELINE_AT: '127.0.0.1:0' });
    const answer = await fetch(`${share.url}/share/notes.bin`, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream', connection: 'close' },
      body: bytes,
    });
    const { code, port } = (await answer.json()) as { code: string; port: number };
    const link = await start('hono.js', { BEELINE_AT: `127.0.0.1:${port}` });
    const fetched = await fetch(`${link.url}/fetch/${code}`, { headers: { connection: 'close' } });
    assert.equal(fetched.status, 200);
    assert.match(fetched.headers.get('content-disposition')!, /notes\.bin$/);
    assert.ok(Buffer.from(await fetched.arrayBuffer()).equals(bytes));
    for (const each of [share, link]) await stop(each);
  });

  it('run: what Express offers is fetched with Hono, is told as it goes, and what nobody fetches is ended', async () => {
    const bytes = randomBytes(2_000_000);
    mkdirSync(join(dir, 'shelf'));
    writeFileSync(join(dir, 'shelf/report.bin'), bytes);
    const shelf = await start('express.js', { BEELINE_AT: '127.0.0.1:0', FOLDER: join(dir, 'shelf') });
    const ask = (path: string, method: string) =>
      fetch(`${shelf.url}/offers/${path}`, { method, headers: { connection: 'close' } });
    for (const none of ['none.bin', '..%2Fpackage.json', '..'])
      assert.equal((await ask(none, 'POST')).status, 404, none);
    const offered = await ask('report.bin', 'POST');
    assert.equal(offered.status, 201);
    const { id, code, port } = (await offered.json()) as { id: string; code: string; port: number };
    const told = (await ask(`${id}/events`, 'GET')).text();
    const link = await start('hono.js', { BEELINE_AT: `127.0.0.1:${port}` });
    const fetched = await fetch(`${link.url}/fetch/${code}`, { headers: { connection: 'close' } });
    assert.ok(Buffer.from(await fetched.arrayBuffer()).equals(bytes));
    const events = (await told).split('\n\n').slice(0, -1);
    assert.equal(JSON.parse(events.at(-1)!.slice('data: '.length)).event, 'done');
    assert.equal((await ask(`${id}/events`, 'GET')).status, 404);

    const other = (await (await ask('report.bin', 'POST')).json()) as { id: string };
    const ended = (await ask(`${other.id}/events`, 'GET')).text();
    assert.equal((await ask(other.id, 'DELETE')).status, 204);
    assert.match(await ended, /"code":"CANCELLED"/);
    for (const each of [shelf, link]) await stop(each);
  });

  it('run: one Electron application sends to another, and a page that is not theirs gets nothing', async () => {
    const bytes = randomBytes(2_000_000);
    writeFileSync(join(dir, 'chosen.bin'), bytes);
    mkdirSync(join(dir, 'downloads'));
    const sender = desktop({ at: '127.0.0.1:0', files: [join(dir, 'chosen.bin')] });
    await sender.says('loaded');
    assert.deepEqual(await sender.invoke('beeline:send'), { answer: 1 });
    const { port } = await sender.event('listening');
    const { code } = await sender.event('code');
    const receiver = desktop({ at: `127.0.0.1:${port}` });
    assert.deepEqual(await receiver.invoke('beeline:receive', code), { answer: 1 });
    assert.deepEqual(await receiver.says('asked'), { asked: 'Receive chosen.bin?' });
    assert.deepEqual(await receiver.says('opened'), { opened: join(dir, 'downloads') });
    assert.ok(readFileSync(join(dir, 'downloads/chosen.bin')).equals(bytes));
    await sender.event('done');
    for (const each of [sender, receiver]) await each.says('slept');
    // One that nobody fetches ends with the application.
    assert.deepEqual(await sender.invoke('beeline:send'), { answer: 2 });
    await sender.event('code', 2);
    const stranger = desktop({ url: 'https://example.org/' });
    for (const channel of ['beeline:send', 'beeline:receive', 'beeline:cancel'])
      assert.deepEqual(await stranger.invoke(channel), { refused: 'This page may not ask' });
    for (const each of [sender, receiver, stranger]) assert.equal(await each.quit(), 0);
  });

  type Said = Record<string, unknown> & { channel?: string; args?: [number, Record<string, unknown>] };

  /** The Electron recipe in a process of its own, with the stand-in. */
  function desktop(as: { at?: string; files?: string[]; url?: string }) {
    const choices = {
      files: [],
      downloads: join(dir, 'downloads'),
      button: 0,
      url: 'file:///window.html',
      ...as,
    };
    const env = { ...process.env, BEELINE_AT: as.at, STAND_IN: JSON.stringify(choices) };
    const child = fork(join(dir, 'out/electron/main.js'), { cwd: dir, env });
    running.add(child);
    const all: Said[] = [];
    const news = new EventEmitter();
    child.on('message', (said: Said) => {
      all.push(said);
      news.emit('more');
    });
    const ended = new Promise((resolve) => child.on('close', resolve));
    ended.then((code) => news.emit('more', code));
    /** The first that fits of all that it said, also of what it says later; taken out. */
    async function find(fits: (said: Said) => unknown): Promise<Said> {
      for (;;) {
        const at = all.findIndex(fits);
        if (at >= 0) return all.splice(at, 1)[0]!;
        const [code] = await once(news, 'more');
        if (code !== undefined)
          throw new Error(`It ended with ${code}; last it said ${JSON.stringify(all.slice(-3))}`);
      }
    }
    return {
      says: (key: string) => find((said) => key in said),
      async event(name: string, id = 1) {
        const { args } = await find(({ args }) => args?.[0] === id && args[1].event === name);
        return args![1];
      },
      invoke(channel: string, ...args: unknown[]) {
        child.send({ channel, args });
        return find((said) => 'answer' in said || 'refused' in said);
      },
      async quit() {
        child.send({ quit: true });
        const code = await ended;
        running.delete(child);
        return code;
      },
    };
  }
});
