/** Several codes in one `receive`: one offer after the other, by the real command. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { snapshot } from './tree.ts';
import { workspace } from './workspace.ts';

describe('integration: several codes', () => {
  it('each offer arrives, but the one whose code is wrong, and the exit code is that of this one', async (t) => {
    const work = workspace(t);
    const server = work.start(['server', '--host', '127.0.0.1', '--port', '0', '--no-stun']);
    const { url } = await server.until('listening');
    const meet = ['--server', String(url), '--no-lan'];
    const senders = await Promise.all(
      ['one', 'two', 'three'].map(async (name) => {
        writeFileSync(work.path(name), `this is ${name}`);
        const sender = work.start(['send', work.path(name), ...meet]);
        const { code } = await sender.until('code');
        return { sender, code: String(code) };
      }),
    );
    const codes = senders.map(({ code }) => code);
    // No words of the list, so nobody asks whether they are mistyped.
    codes[1] = codes[1]!.replace(/-.*$/, '-quite-otherwise');
    const receiver = work.start(['receive', ...codes, ...meet, '--yes', '--to', work.folder('out')]);
    const { events } = await receiver.ends(4);
    assert.deepEqual(Object.keys(snapshot(work.path('out'))).toSorted(), ['one', 'three']);
    const ends = events.filter(({ event }) => event === 'done' || event === 'error');
    assert.deepEqual(
      ends.map(({ event, arrival, code }) => [event, arrival, code]),
      [
        ['done', 1, undefined],
        ['error', 2, 'WRONG_CODE'],
        ['done', 3, undefined],
      ],
    );
    assert.ok(events.every(({ arrival }) => typeof arrival === 'number'));
    for (const [index, status] of [0, 4, 0].entries()) await senders[index]!.sender.ends(status);
  });
});
