/** A server that speaks TLS itself: everything on one port, renewed while it runs, and bounded for strangers. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls, createSecureContext, getCiphers, type TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import { BeelineError } from '../../src/base/errors.ts';
import { decodeStun, encodeStun, METHOD, newTransaction } from '../../src/nat/stun/message.ts';
import { createFront } from '../../src/server/front.ts';
import { HANDSHAKE_LIMITS } from '../../src/server/handshakes.ts';
import { type ServerOptions, startServer } from '../../src/server/index.ts';
import { freePort } from '../ports.ts';
import { certificateFiles, type Files, type Made, makeServerCertificate } from './certificates.ts';
import { ask } from './raw-http.ts';

let first: Made;
let second: Made;
let files: Files;
before(async () => {
  first = await makeServerCertificate();
  second = await makeServerCertificate();
  files = certificateFiles(first);
});
after(() => files.remove());

async function running(
  use: (server: Awaited<ReturnType<typeof startServer>>) => Promise<void>,
  options: Partial<ServerOptions> = {},
) {
  files.write(first);
  const server = await startServer({ port: 0, host: '127.0.0.1', tls: files, page: false, ...options });
  try {
    await use(server);
  } finally {
    await server.close();
  }
}

const BASE = { host: '127.0.0.1', servername: 'meet.example', rejectUnauthorized: false } as const;

async function secure(port: number, options: object = {}): Promise<TLSSocket> {
  const socket = connectTls({ ...BASE, port, ...options });
  await once(socket, 'secureConnect');
  return socket;
}

const fingerprint = (socket: TLSSocket) => socket.getPeerX509Certificate()!.fingerprint256;
const settled = (sockets: Socket[]) => sockets.filter(({ closed }) => closed).length;

/** Connections of one address that send the first bytes of a handshake, and no more. */
async function dawdlers(port: number, count: number): Promise<Socket[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const socket = connect({ port, host: '127.0.0.1' });
      socket.on('error', () => {});
      await once(socket, 'connect');
      socket.resume();
      socket.write(Buffer.from([0x16, 0x03, 0x01, 0x02]));
      return socket;
    }),
  );
}

describe('server: TLS', () => {
  it('has HTTPS, WebSockets and STUN on one port', () =>
    running(async ({ url, port, stunPorts }) => {
      assert.equal(url, `https://127.0.0.1:${port}`);
      assert.equal(stunPorts[0], port);
      const health = await ask(port, { tls: true, path: '/healthz' });
      assert.equal(health.body.toString(), 'ok\n');
      assert.equal(health.headers['strict-transport-security'], 'max-age=604800');
      assert.equal(health.headers['referrer-policy'], 'no-referrer');
      const local = await ask(port, { tls: true, headers: { host: `localhost:${port}` } });
      assert.equal(local.headers['strict-transport-security'], undefined);

      const socket = new WebSocket(`wss://127.0.0.1:${port}/v1/rendezvous`, {
        rejectUnauthorized: false,
        origin: url,
      });
      await once(socket, 'open');
      socket.send('{"t":"host","v":2}');
      assert.equal(JSON.parse(String((await once(socket, 'message'))[0])).t, 'hosted');
      socket.terminate();

      const stun = connect(port, '127.0.0.1');
      const transaction = newTransaction();
      stun.write(encodeStun({ class: 'request', method: METHOD.binding, transaction, attributes: [] }));
      assert.equal(decodeStun((await once(stun, 'data'))[0])?.class, 'success');
      stun.destroy();
    }));

  it('tells or leads on who speaks without, and repeats nothing', () =>
    running(async ({ port }) => {
      const led = await ask(port, { path: '/?q=zzz', headers: { host: `meet.example:${port}` } });
      assert.equal(led.status, 307);
      assert.equal(led.headers.location, `https://meet.example:${port}/`);
      assert.equal(led.headers['strict-transport-security'], undefined, 'it means nothing without TLS');
      assert.match(led.headers['content-security-policy']!, /default-src 'none'/);
      assert.doesNotMatch(led.text, /zzz/);
      for (const what of [
        { path: '/healthz?zzz' },
        { method: 'POST' },
        { path: '/#zzz' },
        { headers: { host: 'evil.example/zzz?' } },
        { headers: { host: 'u@zzz.example' } },
        { headers: { host: '' } },
      ]) {
        const told = await ask(port, what);
        assert.equal(told.status, 400, JSON.stringify(what));
        assert.equal(told.headers.location, undefined);
        assert.match(told.body.toString(), /speaks TLS/);
        assert.doesNotMatch(told.text, /zzz/);
      }
      const plain = new WebSocket(`ws://127.0.0.1:${port}/v1/rendezvous`);
      plain.on('error', () => {});
      const [, response] = await once(plain, 'unexpected-response');
      assert.equal(response.statusCode, 400);
    }));

  it('speaks TLS 1.2 and 1.3, HTTP/1.1 and nothing else', () =>
    running(async ({ port }) => {
      for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
        const socket = await secure(port, {
          minVersion: version,
          maxVersion: version,
          ALPNProtocols: ['h2', 'http/1.1'],
        });
        assert.equal(socket.getProtocol(), version);
        assert.equal(socket.alpnProtocol, 'http/1.1');
        socket.destroy();
      }
      const refused = async (options: object) => {
        const socket = connectTls({ ...BASE, port, ...options });
        await assert.rejects(once(socket, 'secureConnect'));
      };
      await refused({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' });
      await refused({ ALPNProtocols: ['h2'] });
      // Were it allowed, the callback would have no error.
      const again = await secure(port, { maxVersion: 'TLSv1.2' });
      const outcome = new Promise((resolve) => {
        again.on('error', resolve);
        again.once('close', () => resolve(new Error('closed')));
        again.resume().renegotiate({}, resolve);
      });
      assert.ok((await outcome) instanceof Error);
    }));

  it('offers no cipher and no group but the good ones', () =>
    running(async ({ port }) => {
      const passes = async (options: object) => {
        let socket: TLSSocket | undefined;
        try {
          socket = connectTls({ ...BASE, port, ...options });
          await once(socket, 'secureConnect');
          return true;
        } catch {
          // Refused; or this OpenSSL could not even ask for it.
          return false;
        } finally {
          socket?.destroy();
        }
      };
      const good = /^ecdhe-.*-(?:gcm-sha\d+|chacha20-poly1305)$/;
      const ecdsa = /-ecdsa-/;
      // Every one that this OpenSSL can ask for at all, one by one.
      const all = getCiphers().filter(
        (name) => !name.startsWith('tls_') && !/-psk-|^psk-|srp-|anon/.test(name),
      );
      assert.ok(all.some((name) => good.test(name)));
      assert.ok(
        all.some((name) => name.endsWith('-sha')),
        'CBC with SHA-1 is among them',
      );
      for (const name of all) {
        const ciphers = `${name.toUpperCase()}:@SECLEVEL=0`;
        const expected = good.test(name) && ecdsa.test(name) && !name.includes('aria');
        assert.equal(await passes({ maxVersion: 'TLSv1.2', ciphers }), expected, name);
      }
      const others = ['AES128-CCM8', 'AES256-CCM8', 'AES128-CCM', 'ARIA128-GCM-SHA256', 'CAMELLIA128-SHA256'];
      for (const name of others)
        assert.equal(
          await passes({ maxVersion: 'TLSv1.2', ciphers: `ECDHE-ECDSA-${name}:@SECLEVEL=0` }),
          false,
          name,
        );
      for (const ciphers of ['TLS_AES_128_GCM_SHA256', 'TLS_CHACHA20_POLY1305_SHA256'])
        assert.ok(await passes({ minVersion: 'TLSv1.3', ciphers }), ciphers);
      const ccm = { minVersion: 'TLSv1.3', ciphers: 'TLS_AES_128_CCM_SHA256' };
      assert.equal(await passes(ccm), false);
      for (const [ecdhCurve, expected] of [
        ['X25519', true],
        ['P-256', true],
        // A tenth of a second of computing for who asks for it in one packet.
        ['ffdhe8192', false],
        ['ffdhe2048', false],
      ] as const)
        assert.equal(await passes({ minVersion: 'TLSv1.3', ecdhCurve }), expected, ecdhCurve);
    }));

  it('ends a connection whose records are forged', () =>
    running(async ({ port }) => {
      const raw = connect(port, '127.0.0.1');
      const socket = await secure(port, { socket: raw });
      socket.on('error', () => {});
      const meeting = new WebSocket(`wss://127.0.0.1:${port}/v1/rendezvous`, {
        rejectUnauthorized: false,
        createConnection: (() => socket) as never,
      });
      await once(meeting, 'open');
      const over = once(meeting, 'close');
      meeting.on('error', () => {});
      // Past the library: a record that nobody has sealed.
      raw.write(Buffer.from([0x17, 0x03, 0x03, 0x00, 0x20, ...new Uint8Array(32)]));
      await over;
    }));

  it('is renewed while connections go on', async () => {
    const warnings: string[] = [];
    await running(
      async (server) => {
        const { port } = server;
        const before = await secure(port);
        const old = fingerprint(before);
        const meeting = new WebSocket(`wss://127.0.0.1:${port}/v1/rendezvous`, { rejectUnauthorized: false });
        await once(meeting, 'open');
        files.write(second);
        await server.reload();
        const after = await secure(port);
        const renewed = fingerprint(after);
        assert.notEqual(renewed, old);
        before.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n');
        assert.match(String((await once(before, 'data'))[0]), /200 OK/);
        meeting.send('{"t":"host","v":2}');
        assert.equal(JSON.parse(String((await once(meeting, 'message'))[0])).t, 'hosted');
        files.write({ cert: 'nonsense', key: 'nonsense' });
        await server.reload();
        assert.match(warnings.join(), /no certificate in PEM.*stays in use/);
        const still = await secure(port);
        assert.equal(fingerprint(still), renewed);
        for (const socket of [before, after, still]) socket.destroy();
        meeting.terminate();
      },
      { warn: (sentence) => void warnings.push(sentence) },
    );
  });

  it('starts with no files that it could not use, and leaves no port open', async () => {
    files.write({ ...first, key: second.key });
    const port = await freePort();
    await assert.rejects(
      startServer({ port, host: '127.0.0.1', stun: false, tls: files }),
      (error) => error instanceof BeelineError && error.code === 'USAGE' && /not that of/.test(error.message),
    );
    files.write(first);
    await (await startServer({ port, host: '127.0.0.1', stun: false, tls: files })).close();
  });

  it('says the name that its certificate has', async () => {
    files.write(first);
    const server = await startServer({ port: 0, tls: files, stun: false });
    assert.equal(server.url, `https://meet.example:${server.port}`);
    await server.close();
  });

  it('counts whom the proxy names, also over TLS', async () => {
    const lines: { address?: string; message: string }[] = [];
    const line = (fields: object, message: string) => void lines.push({ ...fields, message });
    await running(
      async ({ port }) => {
        const url = `wss://127.0.0.1:${port}/v1/rendezvous`;
        const headers = { 'x-forwarded-for': '203.0.113.1, 198.51.100.7' };
        const socket = new WebSocket(url, { rejectUnauthorized: false, headers });
        await once(socket, 'open');
        socket.terminate();
      },
      { trustProxy: true, log: { debug: line, info: line, warn: line } },
    );
    assert.equal(lines.find(({ message }) => message === 'connection opened')?.address, '198.51.100.7');
  });
});

describe('server: TLS handshakes of strangers', () => {
  /** @param deadline in milliseconds */
  async function fronted(deadline: number, use: (port: number) => Promise<void>) {
    const http = createServer((_request, response) => response.end('hello'));
    http.on('upgrade', (_request, socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n'));
    const context = createSecureContext(first);
    const front = createFront({
      ...{
        http,
        stun: () => undefined,
        maxConnections: 1000,
        deadline,
        strangers: { inAll: 900, ofAddress: 500 },
      },
      tls: { context: () => context, plain: createServer() },
    });
    front.server.listen(0, '127.0.0.1');
    await once(front.server, 'listening');
    try {
      await use((front.server.address() as AddressInfo).port);
    } finally {
      await front.close();
    }
  }

  it('are so many at once of one address, and leave room for others', () =>
    fronted(600_000, async (port) => {
      const slow = await dawdlers(port, HANDSHAKE_LIMITS.ofAddress);
      // Its rate is for a second.
      await sleep(1_000);
      // Nobody of this address is kept out by its silent ones: the oldest make way.
      const more = await dawdlers(port, 20);
      while (settled(slow) < 20) await sleep(10);
      assert.equal(settled(slow.slice(0, 20)), 20);
      assert.equal(settled([...slow.slice(20), ...more]), 0);
      const other = await secure(port, { localAddress: '127.0.0.2' });
      other.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
      assert.match(String((await once(other, 'data'))[0]), /hello/);
      for (const socket of [other, ...slow]) socket.destroy();
    }));

  it('end by themselves, and free their places', () =>
    fronted(5_000, async (port) => {
      const slow = await dawdlers(port, HANDSHAKE_LIMITS.ofAddress);
      while (settled(slow) < slow.length) await sleep(10);
      (await secure(port)).destroy();
    }));

  it('that lead to nothing end too; a WebSocket is let be, and a request starts the clock anew', () =>
    fronted(10_000, async (port) => {
      const upgraded = await secure(port);
      upgraded.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
      assert.match(String((await once(upgraded, 'data'))[0]), /101/);
      const idle = await secure(port);
      await once(idle.resume(), 'close');
      assert.equal(upgraded.closed, false);
      upgraded.destroy();
      const talking = await secure(port);
      for (let i = 0; i < 3; i++) {
        talking.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
        assert.match(String((await once(talking, 'data'))[0]), /hello/);
        await sleep(4_000);
      }
      assert.equal(talking.closed, false);
      talking.destroy();
    }));
});
