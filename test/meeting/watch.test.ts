/** A watch against a scripted server: what only happens when a server or a network misbehaves. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BeelineError } from '../../src/base/errors.ts';
import type { Dial, WireEvents } from '../../src/meeting/ports.ts';
import { keepWatch } from '../../src/meeting/watch.ts';
import { encodeWatch, type WatcherMessage } from '../../src/wire/watch.ts';
import { VirtualClock } from '../virtual-clock.ts';

const [one, two] = ['daaaaaaaaaaaaone', 'daaaaaaaaaaaatwo'];
const lost = new BeelineError('SERVER', 'gone');

/** Answers the nth hello with the nth answer, the last one again and again. */
function world(...answers: (string[] | 'silence' | 'unreachable' | string)[]) {
  const clock = new VirtualClock();
  const hellos: string[][] = [];
  const wires: (WireEvents & { open: boolean })[] = [];
  const events: string[] = [];
  let dials = 0;
  const dial: Dial = async (on) => {
    const answer = answers[Math.min(dials++, answers.length - 1)]!;
    if (answer === 'unreachable') throw lost;
    const wire = { ...on, open: true };
    wires.push(wire);
    return {
      send(text) {
        hellos.push(JSON.parse(text).nameplates);
        if (answer === 'silence') return;
        const said = Array.isArray(answer) ? encodeWatch({ t: 'watching', v: 2, present: answer }) : answer;
        queueMicrotask(() => on.text(said));
      },
      close: () => {
        wire.open = false;
      },
    };
  };
  const watch = keepWatch(
    dial,
    [one, two],
    {
      came: (nameplate) => events.push(`+${nameplate}`),
      gone: (nameplate) => events.push(`-${nameplate}`),
      watching: () => events.push('watching'),
      away: (error) => events.push(`away ${error.code}`),
      refused: (error) => events.push(`refused ${error.code}`),
    },
    clock,
  );
  const tell = (message: WatcherMessage) => wires.at(-1)!.text(encodeWatch(message));
  return { clock, watch, wires, hellos, tell, heard: () => events.splice(0), dials: () => dials };
}

test('it tells who is there, who comes and who goes', async () => {
  const { clock, watch, hellos, tell, heard } = world([one]);
  await clock.pass(0);
  assert.deepEqual(hellos, [[one, two]]);
  assert.deepEqual(heard(), ['watching', `+${one}`]);
  tell({ t: 'hosting', nameplate: two, present: true });
  tell({ t: 'hosting', nameplate: one, present: false });
  tell({ t: 'hosting', nameplate: one, present: false });
  assert.deepEqual(heard(), [`+${two}`, `-${one}`]);
  assert.deepEqual([watch.has(one), watch.has(two)], [false, true]);
  watch.close();
});

test('a lost connection and a server that is away are tried again, and who went meanwhile is told', async () => {
  const { clock, watch, wires, heard, dials } = world([one], 'unreachable', 'unreachable', [two]);
  await clock.pass(0);
  heard();
  wires[0]!.closed(lost);
  await clock.pass(0);
  assert.deepEqual(heard(), ['away SERVER']);
  assert.ok(watch.has(one), 'nobody says that it went');
  await clock.pass(3000);
  assert.deepEqual(heard(), ['watching', `-${one}`, `+${two}`]);
  assert.equal(dials(), 4);
  await clock.pass(3_600_000);
  assert.equal(dials(), 4);
  watch.close();
  await clock.pass(0);
  assert.equal(wires.at(-1)!.open, false);
});

test('a server that is away for a day is asked twice a minute at most, later on', async () => {
  const { clock, watch, heard, dials } = world('unreachable');
  await clock.pass(86_400_000);
  assert.deepEqual(heard(), ['away SERVER'], 'said once');
  assert.ok(dials() > 86_400 / 30 && dials() < 86_400 / 15 + 200, `${dials()} attempts`);
  watch.close();
});

test('a server that answers nothing is given up and dialled anew', async () => {
  const { clock, watch, wires, heard } = world('silence', [one]);
  await clock.pass(20_000);
  assert.deepEqual(heard(), ['away SERVER', 'watching', `+${one}`]);
  assert.equal(wires[0]!.open, false);
  watch.close();
});

test('another list is asked for on a connection of its own, and none for nobody', async () => {
  const { clock, watch, wires, hellos, heard } = world([one]);
  await clock.pass(0);
  watch.change([two]);
  await clock.pass(0);
  assert.deepEqual(hellos.at(-1), [two]);
  assert.deepEqual(
    wires.map(({ open }) => open),
    [false, true],
  );
  assert.deepEqual(heard(), ['watching', `+${one}`, 'watching', `-${one}`], 'and no other is believed');
  watch.change([]);
  await clock.pass(60_000);
  assert.equal(wires.filter(({ open }) => open).length, 0);
  assert.equal(wires.length, 2);
});

test('what a server may not say ends the watch', async () => {
  const refused = '{"t":"refused","code":"PROTOCOL","message":"What?"}';
  for (const answer of [refused, '{"t":"joined"}', 'junk', '{"t":"watching","v":9,"present":[]}']) {
    const { clock, wires, heard, dials } = world(answer);
    await clock.pass(3_600_000);
    assert.match(heard().join(), /^refused (PROTOCOL|VERSION)$/, answer);
    assert.equal(dials(), 1);
    assert.equal(wires[0]!.open, false);
  }
  for (const said of [
    { t: 'watching', v: 2, present: [] },
    { t: 'hosting', nameplate: 'daaaaaaaaaothers', present: true },
  ] as WatcherMessage[]) {
    const { clock, tell, heard } = world([]);
    await clock.pass(0);
    tell(said);
    await clock.pass(0);
    assert.deepEqual(heard(), ['watching', 'refused PROTOCOL'], said.t);
  }
});

test('a server that is full for now is tried again', async () => {
  const { clock, watch, heard } = world('{"t":"refused","code":"SERVER","message":"Full."}', [one]);
  await clock.pass(5000);
  assert.deepEqual(heard(), ['away SERVER', 'watching', `+${one}`]);
  watch.close();
});
