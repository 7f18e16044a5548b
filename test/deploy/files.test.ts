/** What stands in deploy/: each flag, key, metric and file that is named there exists. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { parseConfiguration } from '../../src/cli/configuration.ts';
import { serverArgs } from '../../src/cli/options.ts';
import { startServer } from '../../src/server/index.ts';
import { DASHBOARD, type Panel, queries } from './dashboard.ts';

const read = (name: string) => readFileSync(join('deploy', name), 'utf8');
const configuration = (name: string) => parseConfiguration(read(name), name).flags;

test('the example of a configuration file is right, with and without what is commented out', () => {
  serverArgs([], {}, configuration('server.yaml'));
  const all = parseConfiguration(read('server.yaml').replace(/^#(?=[a-z-]+: )/gm, ''), 'server.yaml').flags;
  assert.notEqual(serverArgs([], {}, all).turn, undefined);
});

test('the unit waits for as long as the server may drain', () => {
  const unit = read('beeline-server.service');
  const { drain = 30 } = configuration('server.yaml');
  const [, stop] = /^TimeoutStopSec=(\d+)s$/m.exec(unit)!;
  assert.ok(Number(stop) >= drain + 10, `${stop} s`);
  for (const [, flags] of unit.matchAll(/beeline server (.*)$/gm)) serverArgs(flags!.split(' '));
});

/** hadolint is in no registry that is used here. Its rules that a file of this size can break, by their numbers. */
test('the Dockerfile keeps the rules of hadolint', () => {
  const lines = read('Dockerfile')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line && !line.startsWith('#'));
  const of = (word: string) =>
    lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));
  assert.deepEqual(
    lines.filter((line) => !/^(FROM|WORKDIR|COPY|RUN|ENV|USER|EXPOSE|HEALTHCHECK|ENTRYPOINT) /.test(line)),
    [],
  );
  for (const image of of('FROM'))
    assert.match(image, /^[a-z]+:\d+\.\d+\.\d+-[a-z-]+( AS [a-z]+)?$/, 'DL3006, DL3007: pinned');
  assert.equal(new Set(of('FROM')).size, of('FROM').length, 'DL3024: aliases are unique');
  for (const folder of of('WORKDIR')) assert.match(folder, /^\//, 'DL3000: absolute');
  for (const command of of('RUN')) {
    assert.doesNotMatch(
      command,
      /\bsudo\b|\bcd \b|\bapt(-get)? |\bcurl\b|\bwget\b|&&|\|/,
      'DL3003, DL3004, DL3008, DL3009, DL3027, DL4001, DL4006',
    );
    if (/\bnpm\b/.test(command)) assert.match(command, /^npm (ci|run) /, 'DL3016: by the lock file');
  }
  assert.equal(of('ENTRYPOINT').length, 1, 'DL4004');
  for (const one of [...of('ENTRYPOINT'), ...of('HEALTHCHECK').map((line) => line.replace(/^.*CMD /, ''))])
    assert.doesNotThrow(() => JSON.parse(one), 'DL3025: as a list');
  assert.match(of('USER').at(-1)!, /^[1-9]\d*:[1-9]\d*$/, 'DL3002: not root');
  assert.ok(
    lines.indexOf(`USER ${of('USER').at(-1)}`) > lines.findLastIndex((line) => line.startsWith('FROM')),
    'in the last stage',
  );
  for (const copied of of('COPY').filter((line) => !line.startsWith('--from')))
    for (const source of copied.split(' ').slice(0, -1)) {
      assert.ok(existsSync(source), `${source} is there`);
      assert.match(
        read('Dockerfile.dockerignore'),
        new RegExp(`^!${source.replaceAll('.', '\\.')}$`, 'm'),
        `${source} is let in`,
      );
    }
  for (const copied of of('COPY').filter((line) => line.split(' ').length > 3))
    assert.match(copied, /\/$|^--from/, 'DL3021');
});

test('dashboard and alerts ask only for metrics that there are', async () => {
  const server = await startServer({
    port: 0,
    host: '127.0.0.1',
    stun: false,
    metrics: { host: '127.0.0.1', port: 0 },
  });
  const text = await (await fetch(server.metricsUrl!, { headers: { connection: 'close' } })).text();
  await server.close();
  const served = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name!));
  const rules = parse(read('prometheus/alerts.yml')).groups.flatMap((group: { rules: { expr: string }[] }) =>
    group.rules.map(({ expr }) => expr),
  );
  const asked = [...queries(), ...rules].flatMap((query) =>
    [...query.matchAll(/\b((?:beeline|nodejs|process)_\w+)/g)].map(([, name]) => name!),
  );
  assert.ok(asked.length > 30);
  assert.deepEqual(
    [...new Set(asked)].filter((name) => !served.has(name)),
    [],
  );
});

test('each panel of the dashboard has its place, an explanation and a unit', () => {
  const panels: Panel[] = DASHBOARD.panels.filter(({ type }) => type !== 'row');
  assert.equal(new Set(DASHBOARD.panels.map(({ id }) => id)).size, DASHBOARD.panels.length);
  const cells = new Set<string>();
  for (const {
    title,
    description,
    gridPos: { x, y, w, h },
    fieldConfig,
  } of panels) {
    assert.ok(description && title && fieldConfig!.defaults.unit, title);
    assert.ok(x + w <= 24, title);
    for (let i = x; i < x + w; i++)
      for (let j = y; j < y + h; j++) {
        assert.ok(!cells.has(`${i},${j}`), `${title} covers another panel`);
        cells.add(`${i},${j}`);
      }
  }
});
