/** The page of a sender's own process: what strangers on the local network get, and what is left when it ends. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as plainRequest } from 'node:http';
import { request } from 'node:https';
import { networkInterfaces } from 'node:os';
import { afterEach, describe, it } from 'node:test';
import { WebSocket } from 'ws';
import type { SendOptions, Transfer, TransferEvent } from '../../src/node/api.ts';
import { send } from '../../src/node/send.ts';
import { decodeServerMessage, encodeRendezvous, type ServerMessage } from '../../src/wire/rendezvous.ts';

const open = new Set<Transfer>();
afterEach(async () => {
  for (const transfer of open) transfer.cancel();
  await Promise.allSettled([...open].map(({ done }) => done));
  open.clear();
});

/** A sender with a page. Resolves to its links; each ends in the code. */
async function serve(options: SendOptions): Promise<{ transfer: Transfer; links: readonly string[] }> {
  const transfer = send({ text: 'hello' }, { web: true, lan: false, ...options });
  open.add(transfer);
  const links = new Promise<readonly string[]>((resolve) => {
    transfer.subscribe((event: TransferEvent) => {
      if (event.event === 'web') resolve(event.links);
    });
  });
  return { transfer, links: await Promise.race([links, transfer.done.then(() => [])]) };
}

async function get(url: string, how = request) {
  const asked = how(url, { rejectUnauthorized: false, agent: false });
  asked.end();
  const [response] = await once(asked, 'response');
  response.resume();
  await once(response, 'end');
  return response as import('node:http').IncomingMessage;
}

/** A WebSocket at the page's rendezvous, what it heard, and the status of a refusal. */
function dial(url: string, origin?: string) {
  const socket = new WebSocket(`${url.replace('https', 'wss')}v1/rendezvous`, {
    rejectUnauthorized: false,
    ...(origin !== undefined && { origin }),
  });
  const heard: ServerMessage[] = [];
  socket.on('error', () => {});
  socket.on('message', (data) => heard.push(decodeServerMessage(String(data))));
  const status = Promise.race([
    once(socket, 'open').then(() => 101),
    once(socket, 'unexpected-response').then(([, response]) => response.statusCode as number),
  ]);
  return { socket, heard, status, closed: once(socket, 'close') };
}

const pageOf = (link: string) => link.slice(0, link.indexOf('#'));

describe('a page from a sender', () => {
  it('comes by TLS with the code in the fragment only, and plain HTTP is led there', async () => {
    const { links } = await serve({ at: '127.0.0.1:0' });
    const page = pageOf(links[0]!);
    assert.match(links[0]!, /^https:\/\/127\.0\.0\.1:\d+\/#\d+-[a-z]+-[a-z]+/);
    const { headers } = await get(`${page}healthz`);
    assert.match(String(headers['content-security-policy']), /default-src 'none'/);
    assert.equal(headers['referrer-policy'], 'no-referrer');
    const led = await get(page.replace('https', 'http'), plainRequest as typeof request);
    assert.equal(led.statusCode, 307);
    assert.equal(led.headers.location, page);
  });

  it('is no meeting place for strangers, nor for pages of other sites', async () => {
    const { links } = await serve({ at: '127.0.0.1:0' });
    const page = pageOf(links[0]!);
    for (const origin of ['https://evil.example', page.replace('https', 'http').slice(0, -1), 'null'])
      assert.equal(await dial(page, origin).status, 403, origin);
    const stranger = dial(page, page.slice(0, -1));
    assert.equal(await stranger.status, 101);
    stranger.socket.send(encodeRendezvous({ t: 'host', v: 2, nameplate: 'mine', token: undefined }));
    await stranger.closed;
    assert.deepEqual(
      stranger.heard.map((message) => message.t === 'refused' && message.code),
      ['REFUSED'],
    );
  });

  it('ends with the sender, and who waits there is told', async () => {
    const { transfer, links } = await serve({ at: '127.0.0.1:0' });
    const page = pageOf(links[0]!);
    const nameplate = links[0]!.slice(page.length + 1).split('-', 1)[0]!;
    const guest = dial(page);
    assert.equal(await guest.status, 101);
    guest.socket.send(encodeRendezvous({ t: 'join', v: 2, nameplate, token: undefined }));
    while (guest.heard.length === 0) await once(guest.socket, 'message');
    assert.equal(guest.heard[0]!.t, 'joined');
    transfer.cancel();
    await assert.rejects(transfer.done, { code: 'CANCELLED' });
    await guest.closed;
    assert.ok(guest.heard.some(({ t }) => t === 'refused'));
    await assert.rejects(get(page), { code: 'ECONNREFUSED' });
  });

  it('has links to where it is, and a port of its own', async () => {
    const { links } = await serve({ at: '0.0.0.0:0' });
    const own = Object.values(networkInterfaces()).flatMap((list) =>
      (list ?? []).map((each) => each.address),
    );
    for (const link of links) assert.ok(own.includes(new URL(link).hostname.replace(/^\[|\]$/g, '')), link);
    await assert.rejects(serve({ at: '127.0.0.1:65535' }), { code: 'USAGE', message: /port after 65535/ });
  });
});
