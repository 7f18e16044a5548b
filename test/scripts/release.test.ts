/** What a release is made with: the list of parts, the workflow, and the scan that anyone can run again. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';

interface Component {
  name: string;
  version: string;
  purl: string;
  hashes?: { alg: string; content: string }[];
}

const json = (path: string) => JSON.parse(readFileSync(path, 'utf8'));

test('the SBOM parses, and names each package that Beeline runs with by its hash', {
  timeout: 120_000,
}, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'beeline-sbom-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const target = join(folder, 'bom.json');
  execFileSync(process.execPath, ['scripts/sbom.mjs', target]);
  const bom = json(target);
  const { name, version, dependencies, optionalDependencies, devDependencies } = json('package.json');
  assert.deepEqual([bom.bomFormat, bom.specVersion], ['CycloneDX', '1.5']);
  assert.deepEqual([bom.metadata.component.name, bom.metadata.component.version], [name, version]);
  const components = new Map<string, Component>(bom.components.map((each: Component) => [each.name, each]));
  for (const [wanted, itsVersion] of Object.entries({ ...dependencies, ...optionalDependencies }))
    assert.equal(components.get(wanted)?.version, itsVersion, wanted);
  for (const tool of ['esbuild', 'vite', 'typedoc', '@biomejs/biome'])
    assert.ok(tool in devDependencies && !components.has(tool), `${tool} is a developer's`);
  for (const { name: its, hashes, purl } of components.values()) {
    assert.match(hashes?.find(({ alg }) => alg === 'SHA-512')?.content ?? '', /^[0-9a-f]{128}$/, its);
    assert.match(purl, /^pkg:npm\//, its);
  }
  const refs = new Set([bom.metadata.component, ...bom.components].map((each) => each['bom-ref']));
  for (const { ref, dependsOn } of bom.dependencies)
    for (const each of [ref, ...dependsOn]) assert.ok(refs.has(each), each);
  assert.doesNotMatch(
    readFileSync(target, 'utf8'),
    /registry|\.tgz/,
    'where a package was fetched from says nothing',
  );
});

test('a release is checked before it is published, with provenance, by actions that nobody can move', () => {
  const { on, permissions, jobs } = parse(readFileSync('.github/workflows/release.yml', 'utf8'));
  assert.deepEqual(on, { push: { tags: ['v*'] } });
  assert.deepEqual(permissions, { contents: 'read' });
  const steps = (job: string) => jobs[job].steps as { run?: string; uses?: string }[];
  const runs = (job: string) => steps(job).map(({ run }) => run ?? '');
  assert.ok(runs('check').includes('bash .ci/run'));
  assert.ok(runs('audit').includes('npm audit --omit=dev'));
  assert.deepEqual(jobs.executables.needs, ['check', 'audit']);
  assert.deepEqual(jobs.parts.needs, ['check', 'audit', 'executables']);
  const at = (step: string) => runs('parts').findIndex((run) => run.startsWith(step));
  assert.ok(at('npm run sbom') > at('npm run build'));
  // The registry takes nothing back: all else is there before.
  assert.deepEqual(
    ['draft', 'publish', 'release'].map((job) => jobs[job].needs),
    ['parts', 'draft', 'publish'],
  );
  assert.ok(runs('draft').some((run) => /^gh release create "\$GITHUB_REF_NAME" --draft /.test(run)));
  assert.ok(runs('publish').some((run) => run.startsWith('npm publish --provenance --access public')));
  assert.deepEqual(runs('release'), ['gh release edit "$GITHUB_REF_NAME" --draft=false']);
  // Who may publish runs nothing that was fetched or built here.
  assert.deepEqual(
    Object.entries(jobs).flatMap(([name, job]) => {
      const { permissions } = job as { permissions?: object };
      return permissions ? [[name, permissions]] : [];
    }),
    [
      ['draft', { contents: 'write' }],
      ['publish', { contents: 'read', 'id-token': 'write' }],
      ['release', { contents: 'write' }],
    ],
  );
  for (const job of ['draft', 'publish', 'release'])
    for (const run of runs(job)) assert.doesNotMatch(run, /npm (ci|run)|node /, job);
  for (const job of Object.keys(jobs)) {
    assert.ok(jobs[job]['timeout-minutes'] > 0, `${job} ends`);
    for (const { uses } of steps(job))
      if (uses) assert.match(uses, /^[\w/-]+@[0-9a-f]{40}$/, 'pinned by its commit');
  }
  const { scripts } = json('package.json');
  for (const script of ['sbom', 'security', 'build']) assert.ok(scripts[script], script);
  for (const [, script] of readFileSync('.github/workflows/release.yml', 'utf8').matchAll(/npm run (\w+)/g))
    assert.ok(scripts[script!], script);
});

test('each finding that the scan lets pass is explained in a sentence', () => {
  const rows = readFileSync('docs/security-testing.md', 'utf8')
    .split('\n')
    .filter((line) => /^\| `(testssl|nmap|wapiti|nikto) /.test(line));
  assert.ok(rows.length > 10);
  for (const row of rows) assert.match(row, /^\| `\w+ [\w*-]+ [^`]+` \| .{20,}\. \|$/, 'the script reads it');
});

test('the site has the README, every page of the docs and the reference, and who publishes it runs nothing else', () => {
  const { jobs } = parse(readFileSync('.github/workflows/pages.yml', 'utf8'));
  const { build, publish } = jobs;
  const runs = build.steps.flatMap(({ run }: { run?: string }) => run ?? []);
  assert.deepEqual(runs, ['npm ci --ignore-scripts --no-audit --no-fund', 'npm run pages']);
  const options = json('typedoc.pages.json');
  assert.match(json('package.json').scripts.pages, /^typedoc --options typedoc\.pages\.json /);
  assert.equal(build.steps.at(-1).with.path, options.out);
  assert.deepEqual(options.entryPoints, json('typedoc.json').entryPoints, 'the same as in docs/api');
  assert.equal(options.readme, 'README.md');
  // All but the reference, which the site has from its sources.
  const folders = new Set(
    readdirSync('docs', { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.md') && !path.startsWith('api'))
      .map((path) => join('docs', path, '..', '*.md')),
  );
  assert.deepEqual([...options.projectDocuments].sort(), [...folders].sort());
  assert.deepEqual(publish.permissions, { pages: 'write', 'id-token': 'write' });
  assert.equal(publish.needs, 'build');
  assert.equal(publish.steps.length, 1);
});

test('every workflow ends, and uses actions that nobody can move', () => {
  for (const path of readdirSync('.github/workflows')) {
    const { jobs, permissions } = parse(readFileSync(join('.github/workflows', path), 'utf8'));
    assert.deepEqual(permissions, { contents: 'read' }, path);
    for (const [name, job] of Object.entries<{ 'timeout-minutes': number; steps: { uses?: string }[] }>(
      jobs,
    )) {
      assert.ok(job['timeout-minutes'] > 0, `${path}: ${name} ends`);
      for (const { uses } of job.steps)
        if (uses) assert.match(uses, /^[\w/-]+@[0-9a-f]{40}$/, `${path}: ${uses}`);
    }
  }
});
