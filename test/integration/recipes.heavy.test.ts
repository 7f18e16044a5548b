/** The recipes of docs/recipes: compiled strictly against the packed tarball, with both resolutions, and run together. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { installPacked, RESOLUTIONS, ROOT } from './packed.ts';

describe('integration: recipes', { timeout: 300_000 }, () => {
  let dir: string;
  const recipes = readdirSync(join(ROOT, 'docs/recipes')).filter((name) => name.endsWith('.ts'));
  const running = new Set<ChildProcess>();

  before(() => {
    dir = installPacked();
    for (const name of recipes) cpSync(join(ROOT, 'docs/recipes', name), join(dir, name));
    for (const name of ['fastify', 'hono', '@hono/node-server'])
      if (!existsSync(join(dir, 'node_modules', name))) {
        mkdirSync(join(dir, 'node_modules', dirname(name)), { recursive: true });
        symlinkSync(join(ROOT, 'node_modules', name), join(dir, 'node_modules', name));
      }
  });
  after(() => {
    for (const child of running) child.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  });

  for (const [module, moduleResolution] of RESOLUTIONS)
    it(`compile strictly with ${moduleResolution} resolution`, () => {
      const compilerOptions = {
        ...{ module, moduleResolution, target: 'ES2023', lib: ['ES2023'], types: ['node'], strict: true },
        ...{ exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: true },
        ...{ outDir: join(dir, 'out') },
      };
      writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: recipes }));
      try {
        execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript-7/bin/tsc'), '-p', dir], {
          ...{ cwd: dir, encoding: 'utf8' },
        });
      } catch (error) {
        assert.fail((error as { stdout: string }).stdout);
      }
    });

  /** @returns where it listens */
  async function start(
    name: string,
    env: Record<string, string>,
  ): Promise<{ url: string; ended: Promise<unknown>; child: ChildProcess }> {
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
    for (const { child, ended } of [share, link]) {
      child.kill('SIGTERM');
      assert.equal(await ended, 0);
      running.delete(child);
    }
  });
});
