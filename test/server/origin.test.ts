/** Whose pages may open WebSockets at a server. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { describe, it } from 'node:test';
import { WebSocket } from 'ws';
import { BeelineError } from '../../src/base/errors.ts';
import { startServer } from '../../src/server/index.ts';
import { isOfPage, originRefusal, parseOrigins } from '../../src/server/origin.ts';

const request = (origin?: string, host?: string, encrypted = false) =>
  ({ headers: { origin, host }, socket: { encrypted } }) as unknown as IncomingMessage;

describe('server: origins', () => {
  it('are those of the host that was asked', () => {
    const same: [string, string][] = [
      ['https://meet.example:4848', 'meet.example:4848'],
      ['https://meet.example', 'meet.example'],
      ['https://meet.example', 'meet.example:443'],
      ['https://meet.example', 'MEET.example'],
      ['https://[fd00::7]:4848', '[FD00::7]:4848'],
      ['http://localhost:4848', 'localhost:4848'],
      ['http://beeline.localhost', 'beeline.localhost:80'],
      ['http://127.0.0.1:4848', '127.0.0.1:4848'],
      ['http://[::1]:4848', '[::1]:4848'],
    ];
    for (const [origin, host] of same)
      assert.equal(originRefusal(request(origin, host), new Set()), undefined, `${origin} ${host}`);
    const other: [string, string | undefined][] = [
      ['https://evil.example', 'meet.example'],
      ['http://localhost:4849', 'localhost:4848'],
      ['https://meet.example.evil.example', 'meet.example'],
      ['https://sub.meet.example', 'meet.example'],
      ['https://meet.example:8443', 'meet.example'],
      ['https://meet.example', 'meet.example:80'],
      ['null', 'meet.example'],
      ['', 'meet.example'],
      ['file://', ''],
      ['chrome-extension://meet.example', 'meet.example'],
      ['https://evil.example', 'x@evil.example:1'],
      ['http://undefined', undefined],
    ];
    for (const [origin, host] of other)
      assert.match(originRefusal(request(origin, host), new Set()) ?? '', /^Pages of/, `${origin} ${host}`);
  });

  it('are none that a name only leads to: without TLS no page but those of this machine can work', () => {
    for (const host of [
      'rebound.example:4848',
      '192.168.1.7:4848',
      '[fd00::7]:4848',
      'localhost.evil.example:4848',
      '127.0.0.1.evil.example',
      'evil-localhost:4848',
    ])
      assert.match(originRefusal(request(`http://${host}`, host), new Set()) ?? '', /^Pages of/, host);
    const listed = new Set(['http://rebound.example:4848']);
    assert.equal(
      originRefusal(request('http://rebound.example:4848', 'rebound.example:4848'), listed),
      undefined,
    );
  });

  it('are over TLS where the server speaks TLS', () => {
    assert.equal(originRefusal(request('https://meet.example', 'meet.example', true), new Set()), undefined);
    assert.notEqual(
      originRefusal(request('http://meet.example', 'meet.example', true), new Set()),
      undefined,
    );
  });

  it('may be listed, exactly, and a command has none', () => {
    const allowed = parseOrigins(['https://a.example/', 'HTTP://B.example:80']);
    assert.deepEqual([...allowed], ['https://a.example', 'http://b.example']);
    assert.equal(originRefusal(request('https://a.example', 'meet.example'), allowed), undefined);
    assert.notEqual(originRefusal(request('http://a.example', 'meet.example'), allowed), undefined);
    assert.equal(originRefusal(request(undefined, 'meet.example'), new Set()), undefined);
    const wrong = [
      '*',
      'a.example',
      'https://a.example/path',
      'https://a.example/?q',
      'file:///x',
      'wss://a',
      '',
    ];
    for (const text of [...wrong, 'https://u:p@a.example', 'https://a.example/#x'])
      assert.throws(
        () => parseOrigins([text]),
        (error) => error instanceof BeelineError && error.code === 'USAGE',
        text,
      );
    assert.throws(() => parseOrigins(Array.from({ length: 65 }, (_, i) => `https://a${i}`)), /at most/);
  });

  it('tell a page from a command', () => {
    assert.equal(isOfPage(request('https://meet.example', 'meet.example')), true);
    assert.equal(isOfPage(request('', 'meet.example')), true);
    assert.equal(isOfPage(request(undefined, 'meet.example')), false);
  });

  it('decide at the server which part of its room for watchers is had', async () => {
    const server = await startServer({
      ...{ port: 0, host: '127.0.0.1', stun: false },
      limits: { watchers: 2 },
    });
    const sockets: WebSocket[] = [];
    const watch = async (origin?: string) => {
      const url = `ws://127.0.0.1:${server.port}/v1/rendezvous`;
      const socket = new WebSocket(url, origin === undefined ? {} : { origin });
      sockets.push(socket);
      await once(socket, 'open');
      socket.send(JSON.stringify({ t: 'watch', v: 2, nameplates: [`d${'a'.repeat(15)}`] }));
      const [data] = await once(socket, 'message');
      return JSON.parse(String(data)).t;
    };
    try {
      assert.equal(await watch(server.url), 'watching');
      assert.equal(await watch(server.url), 'refused');
      assert.equal(await watch(), 'watching');
      assert.equal(await watch(), 'refused');
    } finally {
      for (const socket of sockets) socket.terminate();
      await server.close();
    }
  });

  it('are asked for before anything is opened, at the meeting and at the relay', async () => {
    const lines: string[] = [];
    const log = {
      debug: () => {},
      info: () => {},
      warn: (_: object, message: string) => void lines.push(message),
    };
    const server = await startServer({
      ...{ port: 0, host: '127.0.0.1', stun: false, log },
      allowOrigins: ['https://friend.example'],
    });
    try {
      for (const path of ['/v1/rendezvous', '/v1/relay']) {
        const url = `ws://127.0.0.1:${server.port}${path}`;
        const opens = async (origin?: string) => {
          const socket = new WebSocket(url, origin === undefined ? {} : { origin });
          socket.on('error', () => {});
          const answer = await Promise.race([
            once(socket, 'open').then(() => 101),
            once(socket, 'unexpected-response').then(([, response]) => response.statusCode as number),
          ]);
          socket.terminate();
          return answer;
        };
        assert.equal(await opens(), 101);
        assert.equal(await opens(server.url), 101);
        assert.equal(await opens('https://friend.example'), 101);
        assert.equal(await opens('https://evil.example'), 403);
        assert.equal(await opens('http://127.0.0.1'), 403);
        assert.equal(await opens('null'), 403);
      }
      assert.equal(lines.filter((line) => line === 'origin refused').length, 6);
    } finally {
      await server.close();
    }
  });
});
