/** deploy/nginx.conf and deploy/compose-server.yaml with real programs: three instances and their Redis behind one name. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeFile, sameFile } from '../../bench/files.mjs';
import type { Command } from '../integration/command.ts';
import { workspace } from '../integration/workspace.ts';
import { freePort } from '../ports.ts';
import { NO_REDIS, startRedis } from '../redis.ts';
import { makeServerCertificate } from '../server/certificates.ts';
import { run, without } from './tools.ts';

const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
const INSTANCES = [1, 2, 3] as const;
const missing = without('nginx', '-v') || (process.env.CI ? false : NO_REDIS);

describe('deploy: nginx before three instances', { skip: missing }, () => {
  it('two meet whichever instance each reaches, and go on when one is told to end', {
    timeout: 240_000,
  }, async (t) => {
    const work = workspace(t);
    const redis = await startRedis();
    t.after(() => redis.close());
    const [http, https] = [await freePort(), await freePort()];
    const instances: { server: Command; port: number; metrics: number }[] = [];
    for (const number of INSTANCES) {
      const [port, metrics] = [await freePort(), await freePort()];
      const path = work.path(`server-${number}.yaml`);
      writeFileSync(work.path('turn-secret'), 'hush\n');
      writeFileSync(
        path,
        readFileSync('deploy/compose-server.yaml', 'utf8')
          .replace('port: 4848', `port: ${port}\nhost: 127.0.0.1\nlog-file: ${work.path(`log-${number}`)}`)
          .replace('redis://redis:6379', redis.url)
          .replace('0.0.0.0:9848', `127.0.0.1:${metrics}`)
          .replace('/run/secrets', work.dir),
      );
      const typed = ['--public-url', `https://localhost:${https}/i/${number}`];
      const server = work.start(['server', '--config', path, ...typed]);
      await server.until('listening');
      instances.push({ server, port, metrics });
    }
    const { cert, key } = await makeServerCertificate(['localhost']);
    writeFileSync(work.path('fullchain.pem'), cert);
    writeFileSync(work.path('privkey.pem'), key, { mode: 0o600 });
    const user = process.getuid?.() === 0 ? 'user root;' : '';
    const folders = TEMPORARY.map((name) => `${name}_temp_path ${work.path(name)};`).join(' ');
    const config = readFileSync('deploy/nginx.conf', 'utf8')
      .replace('pid /run/nginx.pid;', `pid ${work.path('pid')}; daemon off; ${user}`)
      .replace('worker_processes auto;', 'worker_processes 1;')
      // A test's user may open fewer.
      .replace(/worker_rlimit_nofile \d+;/, '')
      .replace(/worker_connections \d+;/, 'worker_connections 256;')
      .replace('access_log off;', `access_log off; ${folders}`)
      .replace('listen 80;', `listen 127.0.0.1:${http};`)
      .replace('listen 443 ssl;', `listen 127.0.0.1:${https} ssl;`)
      .replace(/listen \[::\]:\d+( ssl)?;/g, '')
      .replaceAll('/etc/ssl/beeline', work.dir)
      .replace(/beeline-([123]):4848/g, (_, number) => `127.0.0.1:${instances[Number(number) - 1]!.port}`);
    for (const left of [/\/etc\//, /beeline-\d/, /\/run\//]) assert.doesNotMatch(config, left);
    writeFileSync(work.path('nginx.conf'), config);
    const tested = run('nginx', ['-t', '-p', work.dir, '-c', work.path('nginx.conf')]);
    assert.match(tested.text, /test is successful/);
    assert.doesNotMatch(tested.text, /\[warn\]/);

    const child = spawn('nginx', ['-p', work.dir, '-c', work.path('nginx.conf')], { stdio: 'ignore' });
    t.after(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    });
    const answers = () =>
      new Promise<boolean>((resolve) => {
        const socket = connect(https, '127.0.0.1', () => resolve(!!socket.destroy()));
        socket.once('error', () => resolve(false));
      });
    for (let tries = 0; !(await answers()); tries++) {
      assert.ok(tries < 200 && child.exitCode === null, 'nginx did not start');
      await sleep(50);
    }
    const moved = await fetch(`http://127.0.0.1:${http}/x?y`, { redirect: 'manual' });
    assert.equal(moved.headers.get('location'), 'https://meet.example/x?y');

    const numbers = async () => {
      const texts = await Promise.all(
        instances.map(async ({ metrics }) => (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text()),
      );
      const sum = (name: string) =>
        texts.reduce((all, text) => all + Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1] ?? 0), 0);
      return { pairs: sum('beeline_relay_pairs_total'), bytes: sum('beeline_relay_bytes_total') };
    };
    // The command trusts the test's authority as people would the system's.
    const env = { NODE_EXTRA_CA_CERTS: work.path('fullchain.pem') };
    const meet = ['--server', `https://localhost:${https}`, '--no-lan', '--relay', 'only'];
    makeFile(work.path('file'), 5_000_000);
    const transfer = async (name: string) => {
      const sender = work.start(['send', work.path('file'), ...meet], { env });
      const { code } = await sender.until('code');
      const to = work.folder(name);
      const receiver = work.start(['receive', String(code), ...meet, '--to', to, '--yes'], { env });
      await receiver.ends(0);
      await sender.ends(0);
      sameFile(work.path('file'), `${to}/file`);
    };
    await transfer('one');
    await transfer('two');
    const { pairs, bytes } = await numbers();
    assert.ok(pairs >= 2 && bytes >= 10_000_000, `the relays carried ${bytes} bytes in ${pairs} pairs`);

    instances[0]!.server.signal('SIGTERM');
    await instances[0]!.server.ends(0);
    await transfer('three');
    const lines = INSTANCES.flatMap((number) =>
      readFileSync(work.path(`log-${number}`), 'utf8')
        .split('\n')
        .filter(Boolean),
    ).map((line) => JSON.parse(line));
    const addresses = new Set(lines.map(({ address }) => address).filter(Boolean));
    for (const address of addresses) assert.equal(address, '127.0.0.1', 'clients are counted by the header');
  });
});
