/** deploy/nginx.conf in a real nginx: three instances behind one name, and a real transfer by their relay. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeFile, sameFile } from '../../bench/files.mjs';
import { workspace } from '../integration/workspace.ts';
import { freePort } from '../ports.ts';
import { makeServerCertificate } from '../server/certificates.ts';
import { run, without } from './tools.ts';

const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

describe('deploy: nginx before three instances', { skip: without('nginx', '-v') }, () => {
  it('carries a transfer by the relay of an instance, and passes by one that drains', {
    timeout: 180_000,
  }, async (t) => {
    const work = workspace(t);
    // Meetings are at one instance, as there is no Redis here: nginx does not know that its three are the same.
    const log = work.path('server.log');
    const server = work.start([
      ...['server', '--host', '127.0.0.1', '--port', '0', '--no-stun', '--trust-proxy'],
      ...['--log-level', 'debug', '--log-file', log],
    ]);
    const { port } = await server.until('listening');
    const gone = await freePort();
    const [http, https] = [await freePort(), await freePort()];
    const { cert, key } = await makeServerCertificate(['localhost']);
    writeFileSync(work.path('fullchain.pem'), cert);
    writeFileSync(work.path('privkey.pem'), key, { mode: 0o600 });
    const config = readFileSync('deploy/nginx.conf', 'utf8')
      .replace(
        'pid /run/nginx.pid;',
        `pid ${work.path('pid')}; daemon off; ${process.getuid?.() === 0 ? 'user root;' : ''}`,
      )
      .replace('worker_processes auto;', 'worker_processes 1;')
      // A test's user may open fewer.
      .replace(/worker_rlimit_nofile \d+;/, '')
      .replace(/worker_connections \d+;/, 'worker_connections 256;')
      .replace(
        'access_log off;',
        `access_log off; ${TEMPORARY.map((name) => `${name}_temp_path ${work.path(name)};`).join(' ')}`,
      )
      .replace('listen 80;', `listen 127.0.0.1:${http};`)
      .replace('listen 443 ssl;', `listen 127.0.0.1:${https} ssl;`)
      .replace(/listen \[::\]:\d+( ssl)?;/g, '')
      .replaceAll('/etc/ssl/beeline', work.dir)
      // One of the three is not there.
      .replaceAll('beeline-1:4848', `127.0.0.1:${gone}`)
      .replace(/beeline-[23]:4848/g, `127.0.0.1:${port}`);
    for (const left of [/\/etc\//, /beeline-\d/, /\/run\//]) assert.doesNotMatch(config, left);
    writeFileSync(work.path('nginx.conf'), config);
    const tested = run('nginx', ['-t', '-p', work.dir, '-c', work.path('nginx.conf')]);
    assert.match(tested.text, /test is successful/);
    assert.doesNotMatch(tested.text, /\[warn\]/);

    const child = spawn('nginx', ['-p', work.dir, '-c', work.path('nginx.conf')], { stdio: 'ignore' });
    t.after(async () => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM');
        await once(child, 'exit');
      }
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

    // The command trusts the test's authority as people would the system's.
    const env = { NODE_EXTRA_CA_CERTS: work.path('fullchain.pem') };
    makeFile(work.path('file'), 5_000_000);
    for (const path of ['', '/i/3']) {
      const meet = ['--server', `https://localhost:${https}${path}`, '--no-lan', '--relay', 'only'];
      const sender = work.start(['send', work.path('file'), ...meet], { env });
      const { code } = await sender.until('code');
      const to = work.folder(`out${path.replaceAll('/', '-')}`);
      const receiver = work.start(['receive', String(code), ...meet, '--to', to, '--yes'], { env });
      await receiver.ends(0);
      await sender.ends(0);
      sameFile(work.path('file'), `${to}/file`);
    }
    server.signal('SIGTERM');
    await server.ends(0);
    const lines = readFileSync(log, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
    const carried = lines.filter(({ msg, bytes }) => msg === 'relayed' && bytes > 1_000_000);
    assert.ok(carried.length >= 2, 'the relay carried both');
    const addresses = new Set(lines.map(({ address }) => address).filter(Boolean));
    assert.deepEqual([...addresses], ['127.0.0.1'], 'clients are counted by the header');
  });
});
