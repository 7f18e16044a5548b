import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageLink } from '../../src/cli/instructions.ts';

test('the link to a server’s page, however its URL was written', () => {
  const code = '7-crossover-clockwork';
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
