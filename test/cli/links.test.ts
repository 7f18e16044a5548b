import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instructions, pageLink } from '../../src/cli/instructions.ts';

test('the link to a server’s page, however its URL was written', () => {
  const code = '7-velvet-canyon';
  for (const [server, page] of [
    ['https://meet.example', 'https://meet.example/'],
    ['wss://meet.example:8443', 'https://meet.example:8443/'],
    ['WS://meet.example', 'http://meet.example/'],
    ['wss://meet.example/v1/rendezvous', 'https://meet.example/'],
    ['https://meet.example/beeline/', 'https://meet.example/beeline/'],
    ['https://meet.example/beeline/v1/rendezvous', 'https://meet.example/beeline/'],
  ] as const)
    assert.equal(pageLink(server, code), `${page}#${code}`, server);
});

test('the command for the receiver names the other DHT that both sides need', () => {
  const lines = (options: object) => instructions('7-a', options, {}, () => ['192.0.2.1']).join('\n');
  const dht = { bootstrap: ['192.0.2.7:1', 'b.example:2'] };
  const flags = '--dht-bootstrap 192.0.2.7:1 --dht-bootstrap b.example:2';
  assert.match(lines({ dht }), new RegExp(`beeline receive 7-a ${flags}$`, 'm'));
  assert.doesNotMatch(lines({ dht, at: '0.0.0.0:5' }), /dht-bootstrap/);
  assert.doesNotMatch(lines({ dht, server: 'ws://a' }), /dht-bootstrap/);
  assert.doesNotMatch(lines({ dht: true }), /dht-bootstrap/);
});
