/**
 * A TURN client that relays to an address that nobody has, then asks whether its allocation is still there. Run in a
 * host of the lab: `turn-stray.ts SERVER PORT PEER`, the shared secret in SECRET. Prints the server's last answer's class.
 */

import { createHmac } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorCode, readErrorCode, xorAddress } from '../../src/nat/stun/attributes.ts';
import * as stun from '../../src/nat/stun/message.ts';
import { longTermKey } from '../../src/nat/stun/message.ts';

/** RFC 8656's Send indication. */
const SEND = 6;
const { ATTRIBUTE, METHOD } = stun;
const text = (value: string) => new TextEncoder().encode(value);

const [server = '', port = '', peer = ''] = process.argv.slice(2);
const username = `${Math.floor(Date.now() / 1000) + 600}:stray`;
const password = createHmac('sha1', process.env.SECRET ?? '')
  .update(username)
  .digest('base64');
const socket = createSocket('udp4');
let credentials: stun.StunAttribute[] = [];
let key: Uint8Array | undefined;

function send(
  type: stun.StunClass,
  method: number,
  attributes: stun.StunAttribute[],
  transaction: Uint8Array,
): void {
  const message = { class: type, method, transaction, attributes };
  socket.send(
    stun.encodeStun(message, type === 'request' && key !== undefined ? { key } : {}),
    Number(port),
    server,
  );
}

async function ask(method: number, attributes: stun.StunAttribute[]): Promise<stun.StunMessage> {
  const transaction = stun.newTransaction();
  const answer = new Promise<stun.StunMessage>((resolve) => {
    socket.on('message', function listen(bytes) {
      const message = stun.decodeStun(bytes);
      if (message === undefined || Buffer.compare(message.transaction, transaction) !== 0) return;
      socket.off('message', listen);
      resolve(message);
    });
  });
  send('request', method, [...attributes, ...credentials], transaction);
  const timeout = sleep(4000, undefined, { ref: false }).then(() => {
    const attribute = { type: ATTRIBUTE.errorCode, value: errorCode(500, 'no answer') };
    return { class: 'error' as const, method, transaction, attributes: [attribute] };
  });
  return Promise.race([answer, timeout]);
}

async function main(): Promise<void> {
  const transport = { type: ATTRIBUTE.requestedTransport, value: Uint8Array.of(17, 0, 0, 0) };
  const challenge = await ask(METHOD.allocate, [transport]);
  const realm = stun.attributeOf(challenge, ATTRIBUTE.realm) ?? text('');
  const nonce = stun.attributeOf(challenge, ATTRIBUTE.nonce) ?? text('');
  key = longTermKey(username, new TextDecoder().decode(realm), password);
  credentials = [
    { type: ATTRIBUTE.username, value: text(username) },
    { type: ATTRIBUTE.realm, value: realm },
    { type: ATTRIBUTE.nonce, value: nonce },
  ];
  const to = (transaction: Uint8Array) => ({
    type: ATTRIBUTE.xorPeerAddress,
    value: xorAddress({ host: peer, port: 9 }, transaction),
  });
  let answer = await ask(METHOD.allocate, [transport]);
  if (answer.class === 'success') {
    // XOR-PEER-ADDRESS of an IPv4 address does not depend on the transaction.
    answer = await ask(METHOD.createPermission, [to(stun.newTransaction())]);
  }
  for (let n = 0; n < 5; n++) {
    const transaction = stun.newTransaction();
    send('indication', SEND, [to(transaction), { type: ATTRIBUTE.data, value: text('hello') }], transaction);
    await sleep(30);
  }
  if (answer.class === 'success') answer = await ask(METHOD.refresh, []);
  console.log(answer.class === 'success' ? 'success' : JSON.stringify(readErrorCode(answer)));
  socket.close();
}

await main();
