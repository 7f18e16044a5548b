/** What a page does before it has met anybody: a send that is cancelled, a receive whose sender is not there yet. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { receive } from '../../src/browser/receive.ts';
import { send } from '../../src/browser/send.ts';
import type { Transfer } from '../../src/session/api.ts';

const sockets: Socket[] = [];

/** A WebSocket whose server speaks when the test says so. */
class Socket {
  static readonly OPEN = 1;
  readyState = 0;
  readonly bufferedAmount = 0;
  readonly url: string;
  binaryType = '';
  onopen = () => {};
  onclose = (_: { code: number }) => {};
  onmessage = (_: { data: string }) => {};

  constructor(url: string) {
    this.url = url;
    sockets.push(this);
  }

  addEventListener(): void {}
  send(): void {}
  close(): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onclose({ code: 1000 });
  }

  opens(): void {
    this.readyState = 1;
    this.onopen();
  }
}

const NAMES = [
  'WebSocket',
  'isSecureContext',
  'document',
  'addEventListener',
  'removeEventListener',
  'navigator',
] as const;
const before = new Map<string, PropertyDescriptor | undefined>();
beforeEach(() => {
  const fakes = [Socket, true, new EventTarget(), () => {}, () => {}, {}];
  for (const [index, name] of NAMES.entries()) {
    before.set(name, Object.getOwnPropertyDescriptor(globalThis, name));
    Object.defineProperty(globalThis, name, { value: fakes[index], configurable: true, writable: true });
  }
  sockets.length = 0;
});
afterEach(() => {
  for (const [name, descriptor] of before)
    if (descriptor) Object.defineProperty(globalThis, name, descriptor);
    else delete (globalThis as Record<string, unknown>)[name];
});

/** So many connections were begun, before the transfer has ended. */
async function dialled(transfer: Transfer, count: number): Promise<void> {
  let error: unknown;
  transfer.done.catch((thrown) => {
    error = thrown;
  });
  while (sockets.length < count) {
    if (error) throw error;
    await delay(1);
  }
}

async function begun() {
  const transfer = send({ text: 'hello' }, { server: 'https://meet.example' });
  transfer.done.catch(() => {});
  await dialled(transfer, 1);
  return { transfer, socket: sockets[0]! };
}

for (const open of [false, true])
  it(`cancelled while ${open ? 'the server thinks' : 'it connects'}: its connection ends`, async () => {
    const { transfer, socket } = await begun();
    if (open) socket.opens();
    transfer.cancel();
    await assert.rejects(transfer.done, { code: 'CANCELLED' });
    assert.equal(socket.readyState, 3);
    assert.equal(sockets.length, 1);
  });

it('cancelled in the very turn in which the server gives it a place: no relay is waited at', async () => {
  const { transfer, socket } = await begun();
  socket.opens();
  await delay(1);
  const services = { relay: true, stun: [] };
  const hosted = {
    t: 'hosted',
    v: 2,
    guests: 1,
    present: [],
    nameplate: '7',
    token: 'a'.repeat(32),
    services,
  };
  socket.onmessage({ data: JSON.stringify(hosted) });
  transfer.cancel();
  await assert.rejects(transfer.done, { code: 'CANCELLED' });
  await delay(20);
  assert.equal(socket.readyState, 3);
  assert.deepEqual(
    sockets.map(({ url }) => url),
    ['wss://meet.example/v1/rendezvous'],
  );
});

it('a page that receives may be opened first: it asks again while nobody sends under its code', async () => {
  const accept = async () => false as const;
  const transfer = receive({ server: 'https://meet.example', code: '7-velvet-canyon', accept });
  transfer.done.catch(() => {});
  const refused = { t: 'refused', code: 'NO_PEER', message: 'Nobody is sending under this code.' };
  for (let attempt = 0; attempt < 3; attempt++) {
    await dialled(transfer, attempt + 1);
    sockets[attempt]!.opens();
    await delay(1);
    sockets[attempt]!.onmessage({ data: JSON.stringify(refused) });
  }
  await dialled(transfer, 4);
  transfer.cancel();
  await assert.rejects(transfer.done, { code: 'CANCELLED' });
  assert.ok(
    sockets.every(({ readyState }) => readyState === 3),
    'nothing stays open',
  );
});
