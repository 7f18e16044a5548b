/** How long a transfer takes that has next to nothing to move: on one machine, and between two that meet by mDNS. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tsImport } from 'tsx/esm/api';
import { beelineOnLan, bothDone, startReceiver, startSender } from './beeline.mjs';
import { makeFile, sameFile } from './files.mjs';
import { startMeasured } from './processes.mjs';
import { columns, fixed, median, spread } from './report.mjs';
import { inTurn } from './turns.mjs';

const { makeWire, whyNoNamespaces } = await tsImport('../lab/namespaces.ts', import.meta.url);

/** Bytes whose first ones are waited for. */
const LAN_SIZE = 64 * 2 ** 20;

export async function startUp(work, { rounds }) {
  const byte = join(work, 'byte.bin');
  const script = join(work, 'nothing.cjs');
  const to = join(work, 'to');
  makeFile(byte, 1);
  writeFileSync(script, '');
  // A cache of its own: what the first round keeps, the others find.
  const cache = { XDG_CACHE_HOME: mkdtempSync(join(work, 'cache-')) };
  await oneByte(work, byte, to, cache);
  const raw = await inTurn(
    {
      Beeline: () => oneByte(work, byte, to, cache),
      'Beeline, nothing kept': () => oneByte(work, byte, to, { NODE_DISABLE_COMPILE_CACHE: '1' }),
      'Node alone': () => nodeAlone(work, script),
    },
    rounds,
    to,
    (name) => name !== 'Node alone' && sameFile(byte, join(to, 'byte.bin')),
  );
  rmSync(byte);
  console.log(`\nA file of one byte, from the receiver's start until both have ended, ${rounds} rounds`);
  const lines = Object.entries(raw).map(([name, all]) => [
    name,
    fixed(median(all.map(({ seconds }) => seconds)), 3),
    spread(
      all.map(({ seconds }) => seconds),
      3,
    ),
    ...['from', 'to'].map((end) => fixed(median(all.map((one) => one[end]?.cpu)), 3)),
  ]);
  console.log(columns(['', 'median s', 'rounds', 'CPU s, sender', 'CPU s, receiver'], lines, [0, 2]));
  return { raw, lan: await overLan(work, to, cache, rounds) };
}

async function oneByte(work, byte, to, env) {
  const sender = await startSender(work, byte, { env });
  try {
    const started = performance.now();
    const { from, to: used } = await bothDone(sender, startReceiver(work, sender, to, { env }));
    return { seconds: (performance.now() - started) / 1000, from, to: used };
  } finally {
    sender.kill('SIGKILL');
  }
}

async function nodeAlone(work, script) {
  const node = startMeasured(work, 'node', script, []);
  const { seconds } = await node.exited;
  return { seconds, to: node.usage() };
}

/** Two network namespaces on one wire; the sender is there already. */
async function overLan(work, to, env, rounds) {
  const why = whyNoNamespaces();
  if (why) return void console.log(`The first byte on a LAN was skipped: ${why}.`);
  const file = join(work, 'lan.bin');
  makeFile(file, LAN_SIZE);
  const wire = makeWire();
  try {
    const go = () => beelineOnLan(work, file, to, wire, { env });
    const { lan } = await inTurn({ lan: go }, rounds, to, () => sameFile(file, join(to, 'lan.bin')));
    const told = (name) => {
      const all = lan.map((one) => one[name]);
      return `${fixed(median(all), 0)} ms (${spread(all, 0)})`;
    };
    console.log(
      `On a LAN, met by mDNS, from the receiver's start: a lane after ${told('lane')}, ` +
        `the first bytes after ${told('first')}, all ${LAN_SIZE / 2 ** 20} MiB after ${told('done')}.`,
    );
    return lan;
  } finally {
    wire.remove();
  }
}
