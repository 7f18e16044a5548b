/** Debian's Prometheus reads a real server, and each query of the dashboard and each alert has an answer. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from 'yaml';
import { freePort } from '../ports.ts';
import { relayWorld } from '../server/relay-world.ts';
import { queries } from './dashboard.ts';
import { run, without } from './tools.ts';

const FOLDER = 'deploy/prometheus';

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'beeline-prometheus-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  cpSync(FOLDER, path, { recursive: true });
  return path;
}

describe('deploy: Prometheus', {
  skip: without('promtool', '--version') || without('prometheus', '--version'),
}, () => {
  it('promtool finds nothing wrong with configuration and alerts', () => {
    const config = run('promtool', ['check', 'config', `${FOLDER}/prometheus.yml`]);
    assert.equal(config.status, 0, config.text);
    const rules = run('promtool', ['check', 'rules', `${FOLDER}/alerts.yml`]);
    assert.equal(rules.status, 0, rules.text);
    assert.match(rules.text, /10 rules found/);
  });

  it('alerts fire when they should, and not before', () => {
    const tests = run('promtool', ['test', 'rules', 'test/deploy/alerts.test.yml']);
    assert.equal(tests.status, 0, tests.text);
  });

  it('each query has data, once somebody has used the server', { timeout: 120_000 }, async (t) => {
    const path = folder(t);
    await relayWorld(
      { metrics: { host: '127.0.0.1', port: 0 }, turn: { urls: ['turn:t.example'], secret: 'hush' } },
      async (world) => {
        const target = new URL(world.server.metricsUrl!).host;
        const port = await freePort();
        const config = readFileSync(join(path, 'prometheus.yml'), 'utf8')
          .replace(/( +- )beeline-1:9848[\s\S]*?beeline-3:9848/, `$1${target}`)
          .replace('scrape_interval: 15s', 'scrape_interval: 1s');
        assert.equal(parse(config).scrape_configs[0].static_configs[0].targets[0], target);
        writeFileSync(join(path, 'prometheus.yml'), config);
        const child = spawn(
          'prometheus',
          [
            ...['--config.file', join(path, 'prometheus.yml'), '--storage.tsdb.path', join(path, 'data')],
            ...['--web.listen-address', `127.0.0.1:${port}`, '--log.level=error'],
          ],
          { stdio: ['ignore', 'inherit', 'inherit'] },
        );
        t.after(async () => {
          child.kill('SIGKILL');
          if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
        });
        const ask = async (query: string): Promise<{ status: string; data: { result: unknown[] } }> => {
          const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(query)}`;
          return (await fetch(url)).json() as never;
        };
        const until = async (query: string, what: string) => {
          for (let tries = 0; tries < 300; tries++) {
            const found = await ask(query).catch(() => undefined);
            if (found?.data?.result.length) return;
            await sleep(200);
          }
          assert.fail(what);
        };
        const use = async () => {
          const { host, guest, a } = await world.pair('7');
          host.socket.send(Buffer.alloc(100_000));
          await guest.until(100_000);
          a.socket.send(JSON.stringify({ t: 'drop', guest: 1 }));
          await assert.rejects(world.seat('join', '8'));
        };
        await use();
        await until('up{job="beeline"} == 1', 'the server is read');
        await until('count_over_time(beeline_ready[1m]) > 3', 'it is read again and again');
        for (const query of queries()) {
          const { status, data } = await ask(query);
          assert.equal(status, 'success', query);
          assert.notEqual(data.result.length, 0, query);
        }
        const rules = (await (await fetch(`http://127.0.0.1:${port}/api/v1/rules`)).json()) as {
          data: { groups: { rules: { name: string; state: string; health: string }[] }[] };
        };
        const [group] = rules.data.groups;
        for (const { name, state } of group!.rules) assert.equal(state, 'inactive', name);
      },
    );
  });
});
