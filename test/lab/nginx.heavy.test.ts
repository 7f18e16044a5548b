/** The server behind a real nginx on loopback, with the configuration that docs/server.md gives. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { type ServerOptions, startServer } from '../../src/server/index.ts';
import { startNginx } from '../nginx.ts';
import { freePort } from '../ports.ts';
import { makeServerCertificate } from '../server/certificates.ts';
import { RelayWorld } from '../server/relay-world.ts';

const missing = whyNoNginx();
const skip = missing !== undefined && !process.env.CI ? missing : false;
const PAGE = `<!doctype html><title>Beeline</title>${'<p>words</p>'.repeat(200)}`;
const documented = /```nginx\n(server \{\n[\s\S]*?\n\}\n)```/.exec(
  readFileSync('docs/server.md', 'utf8'),
)![1]!;

function whyNoNginx(): string | undefined {
  try {
    execFileSync('nginx', ['-v'], { timeout: 10_000, stdio: 'ignore' });
    return undefined;
  } catch (error) {
    return `no nginx here: ${error instanceof Error ? error.message : error}`;
  }
}

describe('lab: behind nginx', { skip }, () => {
  let folder: string;
  let page: string;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'beeline-nginx-'));
    page = join(folder, 'page');
    mkdirSync(page);
    writeFileSync(join(page, 'index.html'), PAGE);
    const { cert, key } = await makeServerCertificate();
    writeFileSync(join(folder, 'cert.pem'), cert);
    writeFileSync(join(folder, 'key.pem'), key, { mode: 0o600 });
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  interface Behind {
    world: RelayWorld;
    port: number;
    /** Status of a WebSocket of a page of this origin. */
    opens(origin?: string, localAddress?: string): Promise<number>;
    log: { address?: string; message: string }[];
  }

  /** @param change what is done to the documented block. */
  async function behind(
    use: (it: Behind) => Promise<void>,
    {
      change = (site: string) => site,
      options = {},
    }: { change?(site: string): string; options?: Partial<ServerOptions> } = {},
  ) {
    const log: Behind['log'] = [];
    const line = (fields: object, message: string) => void log.push({ ...fields, message });
    const server = await startServer({
      ...{ port: 0, host: '127.0.0.1', page, trustProxy: true, log: { debug: line, info: line, warn: line } },
      ...options,
    });
    const port = await freePort();
    const site = documented
      .replace('listen 443 ssl;', `listen 127.0.0.1:${port} ssl;`)
      .replace('/etc/ssl/meet.example.pem', `${folder}/cert.pem`)
      .replace('/etc/ssl/meet.example.key', `${folder}/key.pem`)
      .replace('127.0.0.1:4848', `127.0.0.1:${server.port}`);
    // As words: a port that was given may have the digits of another.
    for (const gone of [/\b443\b/, /\/etc\/ssl/, /\b4848\b/]) assert.doesNotMatch(site, gone);
    const base = `wss://127.0.0.1:${port}`;
    // A browser sends the name that stands in its address bar.
    const headers = { host: `meet.example:${port}` };
    const world = new RelayWorld(server, { base, options: { rejectUnauthorized: false, headers } });
    let stop: (() => Promise<void>) | undefined;
    try {
      stop = await startNginx(folder, change(site), port);
      await use({
        ...{ world, port, log },
        async opens(origin, localAddress) {
          const socket = new WebSocket(`${base}/v1/rendezvous`, {
            ...{ rejectUnauthorized: false, headers, localAddress },
            ...(origin !== undefined && { origin }),
          });
          socket.on('error', () => {});
          const status = await Promise.race([
            once(socket, 'open').then(() => 101),
            once(socket, 'unexpected-response').then(([, response]) => response.statusCode as number),
          ]);
          socket.terminate();
          return status;
        },
      });
    } finally {
      await world.close();
      await stop?.();
    }
  }

  it('the page keeps its headers and its form', () =>
    behind(async ({ port }) => {
      const [response] = await once(
        request({
          ...{ host: '127.0.0.1', port, servername: 'meet.example', rejectUnauthorized: false },
          headers: { 'accept-encoding': 'br' },
        }).end(),
        'response',
      );
      response.resume();
      assert.equal(response.statusCode, 200);
      const { headers } = response;
      assert.equal(headers['content-encoding'], 'br');
      assert.match(headers.etag, /^"[\w-]+-br"$/);
      assert.match(headers['content-security-policy'], /require-trusted-types-for 'script'/);
      assert.equal(headers['cross-origin-opener-policy'], 'same-origin');
      assert.equal(headers['strict-transport-security'], 'max-age=604800', 'once, by nginx');
      await once(response, 'end');
    }));

  it("its own page may connect, others' may not, and clients count by their own addresses", () =>
    behind(async ({ port, opens, log }) => {
      assert.equal(await opens(), 101);
      assert.equal(await opens(`https://meet.example:${port}`, '127.0.0.9'), 101);
      assert.equal(await opens('https://evil.example'), 403);
      assert.equal(await opens('https://meet.example'), 403, 'another port is another origin');
      assert.ok(
        log.some(({ address, message }) => address === '127.0.0.9' && message === 'connection opened'),
      );
    }));

  it('without the Host header the page needs to be allowed', async () => {
    const change = (site: string) => site.replace('proxy_set_header Host $http_host;', '');
    await behind(async ({ port, opens }) => assert.equal(await opens(`https://meet.example:${port}`), 403), {
      change,
    });
    const options = { allowOrigins: ['https://meet.example:8443'] };
    await behind(async ({ opens }) => assert.equal(await opens('https://meet.example:8443'), 101), {
      change,
      options,
    });
  });

  it('$host:$server_port does as well', () =>
    behind(async ({ port, opens }) => assert.equal(await opens(`https://meet.example:${port}`), 101), {
      change: (site) => site.replace('$http_host', '$host:$server_port'),
    }));

  it('the relay carries, and goes on for longer than nginx waits for a silent server', () =>
    behind(
      async ({ world }) => {
        // Nothing but pings on it meanwhile.
        const waiting = await world.relay((await world.seat('host', '8')).token, 1);
        const { host, guest, a } = await world.pair('7');
        const part = Buffer.alloc(64 * 1024, 7);
        let sent = 0;
        for (const began = performance.now(); performance.now() - began < 5000; ) {
          for (let i = 0; i < 8; i++) host.socket.send(part);
          guest.socket.send(part.subarray(0, 100));
          sent += 8 * part.length;
          while (guest.received < sent) {
            assert.equal(guest.socket.readyState, guest.socket.OPEN);
            await sleep(5);
          }
          await sleep(200);
        }
        assert.equal(a.socket.readyState, a.socket.OPEN);
        assert.equal(waiting.socket.readyState, waiting.socket.OPEN);
        assert.ok(sent > 2 ** 20);
      },
      {
        change: (site) => site.replace('proxy_read_timeout 60s', 'proxy_read_timeout 2s'),
        options: { tick: 250 },
      },
    ));
});
