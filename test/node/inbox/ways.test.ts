/** How an inbox hears of senders on a local network: real multicast, on the loopback interface only. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { announce } from '../../../src/meeting/lan/announce.ts';
import { LanLinks } from '../../../src/meeting/lan/links.ts';
import { onLan } from '../../../src/node/inbox/ways.ts';

const interfaces = ['127.0.0.1'];
const unique = () => `t${process.pid}x${Math.random().toString(36).slice(2, 10)}`;

async function multicastWorks(): Promise<boolean> {
  const links = new LanLinks('answer', { packet() {} }, interfaces);
  await links.refresh();
  const works = links.all.length > 0;
  links.close();
  return works;
}

function inbox(...wanted: string[]) {
  const heard: string[] = [];
  let wake = () => {};
  const tell = (what: string) => {
    heard.push(what);
    wake();
  };
  const way = onLan(
    wanted,
    { came: (nameplate) => tell(`+${nameplate}`), gone: (nameplate) => tell(`-${nameplate}`) },
    interfaces,
  );
  const until = async (count: number) => {
    while (heard.length < count) await new Promise<void>((resolve) => (wake = resolve));
    return heard.slice();
  };
  return { way, heard, until };
}

test('senders that were there before, that come and that go are told of, and no other', async (context) => {
  if (!(await multicastWorks())) return context.skip('no multicast on the loopback interface');
  const [mine, late, other] = [unique(), unique(), unique()];
  const opened: { close(): unknown }[] = [];
  context.after(() => Promise.all(opened.map((one) => one.close())));
  const before = await announce({ nameplate: mine, port: 4001, interfaces });
  const stranger = await announce({ nameplate: other, port: 4002, interfaces });
  const { way, heard, until } = inbox(mine, late);
  opened.push(before, stranger, way);
  assert.deepEqual(await until(1), [`+${mine}`]);
  const after = await announce({ nameplate: late, port: 4003, interfaces });
  opened.push(after);
  assert.deepEqual(await until(2), [`+${mine}`, `+${late}`]);
  await before.close();
  assert.deepEqual(await until(3), [`+${mine}`, `+${late}`, `-${mine}`]);
  // It announces itself a second time, and is asked for again: neither is an arrival.
  await new Promise((resolve) => setTimeout(resolve, 2500));
  assert.deepEqual(heard.slice(3), []);
  // Another process of the same sender is one.
  const again = await announce({ nameplate: mine, port: 4004, interfaces });
  opened.push(again);
  assert.deepEqual((await until(4)).slice(3), [`+${mine}`]);
});

test('protects from: announcements of one nameplate without end', async (context) => {
  if (!(await multicastWorks())) return context.skip('no multicast on the loopback interface');
  const nameplate = unique();
  const { way, heard, until } = inbox(nameplate);
  const many = await Promise.all(
    Array.from({ length: 12 }, (_, i) => announce({ nameplate, port: 5000 + i, interfaces })),
  );
  context.after(() => Promise.all([way, ...many].map((one) => one.close())));
  await until(1);
  await new Promise((resolve) => setTimeout(resolve, 2500));
  assert.ok(heard.length <= 8, `${heard.length} arrivals`);
  assert.ok(heard.every((each) => each === `+${nameplate}`));
  // A receive that found nobody forgets all of them. What is heard again after that is there again.
  way.absent(nameplate);
  assert.equal(heard.at(-1), `-${nameplate}`);
  way.absent(nameplate);
  assert.equal(heard.filter((each) => each === `-${nameplate}`).length, 1);
});
