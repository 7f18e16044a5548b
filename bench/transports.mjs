#!/usr/bin/env node
/** UDX beside QUIC, each as a transfer's only transport, in turn: see `--help`. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { tsImport } from 'tsx/esm/api';
import { makeFile, sameFile } from './files.mjs';
import { bench, given } from './main.mjs';
import { delay, failure, freePort, startMeasured, within } from './processes.mjs';
import { columns, median } from './report.mjs';

const { makeWan, whyNoWan } = await tsImport('../lab/wan.ts', import.meta.url);
const END = fileURLToPath(new URL('./transport-end.mjs', import.meta.url));
/** Milliseconds for a sender to show its code, and for a whole transfer. */
const SETTLE = 30_000;
const WHOLE = 180_000;
/** Round trip in milliseconds, loss each way in percent, rate in Mbit/s, and what is sent, in MiB. */
const LINKS = [
  { rtt: 1, loss: 0, rate: 1000, size: 256 },
  ...[50, 200].flatMap((rtt) =>
    [0, 1, 2].map((loss) => ({ rtt, loss, rate: 500, size: loss > 0 ? 48 : 256 })),
  ),
];
const HELP = `npm run bench:transports -- [--rounds 2] [--kinds udx,quic] [--only loopback,RTT/LOSS,...] [--seconds 15] [--dir /dev/shm]

One file over each kind alone, by the library, in turn: on loopback to its end; over emulated links (lab/wan.c; needs root and gcc) to its end, or
for so many seconds. MB/s are from the first lane on; CPU seconds are of both sides, a GiB, start-up included. The last column is QUIC's rate as a
part of UDX's.`;

const options = given((argv) => {
  const { values } = parseArgs({
    args: argv,
    options: {
      rounds: { type: 'string', default: '2' },
      kinds: { type: 'string', default: 'udx,quic' },
      only: { type: 'string' },
      seconds: { type: 'string', default: '15' },
      dir: { type: 'string', default: '/dev/shm' },
      help: { type: 'boolean', default: false },
    },
  });
  return { ...values, rounds: Number(values.rounds), seconds: Number(values.seconds) };
});

await bench('transports', options, HELP, async (root) => {
  const missing = whyNoWan();
  if (missing !== undefined) throw new Error(missing);
  const kinds = options.kinds.split(',');
  const wanted = options.only?.split(',');
  const links = [undefined, ...LINKS].filter((link) => !wanted || wanted.includes(nameOf(link)));
  const rows = [];
  for (const link of links) {
    const file = join(root, 'file');
    makeFile(file, (link?.size ?? 512) * 2 ** 20);
    const all = Object.fromEntries(kinds.map((kind) => [kind, []]));
    for (let round = 0; round < options.rounds; round++)
      for (const kind of kinds) all[kind].push(await one(root, file, kind, link, round + 1));
    rmSync(file);
    const rate = (kind) => median(all[kind].map(({ rate }) => rate));
    rows.push([
      link ? `${link.rtt} ms, ${link.loss} %, ${link.rate} Mbit/s` : 'loopback',
      ...kinds.flatMap((kind) => [
        `${rate(kind).toFixed(1)} (${all[kind].map((each) => each.rate.toFixed(1)).join(', ')})`,
        median(all[kind].map(({ cpu }) => cpu))?.toFixed(1) ?? '-',
      ]),
      kinds.includes('udx') && kinds.includes('quic') ? (rate('quic') / rate('udx')).toFixed(2) : '-',
    ]);
    console.error(rows.at(-1).join('  '));
  }
  const head = kinds.flatMap((kind) => [`${kind} MB/s (rounds)`, `${kind} CPU s a GiB`]);
  console.log(columns(['path', ...head, 'QUIC / UDX'], rows));
});

function nameOf(link) {
  return link ? `${link.rtt}/${link.loss}` : 'loopback';
}

/** One transfer, on a link of its own. */
async function one(root, file, kind, link, seed) {
  const work = join(root, 'work');
  mkdirSync(work);
  const wan =
    link &&
    (await makeWan({
      ...{ delayMs: link.rtt / 2, loss: link.loss / 100, rateMbit: link.rate },
      ...{ queueMs: 100, seed },
    }));
  const port = await freePort();
  const at = `${wan?.left.address ?? '127.0.0.1'}:${port}`;
  const env = { BEELINE_CONFIG_DIR: join(work, 'config'), BEELINE_STATE_DIR: join(work, 'state') };
  let showCode = () => {};
  const shown = new Promise((resolve) => {
    showCode = resolve;
  });
  const sender = startMeasured(work, 'sender', END, [kind, 'send', file, '--port', String(port)], {
    ...{ prefix: wan?.left.prefix, env, deadline: WHOLE },
    onLine: (line) => {
      const { event, code } = JSON.parse(line);
      if (event === 'code') showCode(code);
    },
  });
  try {
    const code = await within(SETTLE, shown, sender.exited);
    if (typeof code !== 'string') throw new Error(code ? failure('the sender', code) : 'No code was shown.');
    let began;
    let bytes = 0;
    let took = 0;
    const receiver = startMeasured(
      work,
      'receiver',
      END,
      [kind, 'receive', '--at', at, '--to', join(work, 'to')],
      {
        ...{ prefix: wan?.right.prefix, env: { ...env, BEELINE_CODE: code }, deadline: WHOLE },
        onLine: (line) => {
          const said = JSON.parse(line);
          if (said.event === 'lane') began ??= performance.now();
          if (said.event !== 'progress' || said.bytes === bytes) return;
          bytes = said.bytes;
          took = (performance.now() - began) / 1000;
        },
      },
    );
    const whole = await within(wan ? options.seconds * 1000 : WHOLE, receiver.exited);
    if (whole && whole.status !== 0) throw new Error(failure('the receiver', whole));
    if (whole) sameFile(file, join(work, 'to', 'file'));
    const rate = bytes / 1e6 / took;
    // So that both say what they used.
    if (!whole) for (const side of [receiver, sender]) side.kill('SIGINT');
    await within(10_000, Promise.all([receiver.exited, sender.exited]));
    const cpu = (sender.usage().cpu + receiver.usage().cpu) / (bytes / 2 ** 30);
    return { rate, cpu };
  } finally {
    for (const host of wan ? [wan.left, wan.right] : []) await killIn(host);
    sender.kill('SIGKILL');
    wan?.remove();
    await delay(200);
    rmSync(work, { recursive: true, force: true });
  }
}

/** Ends what a failed run left there. */
async function killIn({ namespace }) {
  const { execFileSync } = await import('node:child_process');
  const pids = execFileSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' })
    .split('\n')
    .filter(Boolean);
  for (const pid of pids) process.kill(Number(pid), 'SIGKILL');
}
