/**
 * `npm run simulate`: many seeded transfers under virtual time, of each kind: two engines with lanes between them, two whole
 * sessions, and a swarm of receivers. Ends with 1 if any of them broke a promise. Flags: --seeds N (default 10,000, of each kind),
 * --from N (the first; by chance, or SEED=n), --seed N (just that one, with its trace), --world engines, sessions or swarm (one kind
 * only), --minutes M at most. With --crowds it prints instead what 2, 4, 8 and 16 receivers who help each other cost their origin,
 * and how much longer they take than one alone.
 */
import { parseArgs } from 'node:util';
import { seed as chosen } from '../seed.ts';
import { report } from './report.ts';
import { run } from './run.ts';
import { runSessions } from './sessions.ts';
import { cost, runSwarm } from './swarm.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '10000' },
    from: { type: 'string' },
    seed: { type: 'string' },
    world: { type: 'string' },
    minutes: { type: 'string', default: '600' },
    crowds: { type: 'boolean', default: false },
  },
});
const WORLDS = { engines: run, sessions: runSessions, swarm: runSwarm };
const worlds = Object.entries(WORLDS).filter(([name]) => (values.world ?? name) === name);
if (worlds.length === 0) throw new Error(`--world is one of ${Object.keys(WORLDS).join(', ')}`);
if (values.crowds) {
  // As 200 MB at 50 Mbit/s: chunks of 1 MiB.
  const size = { chunks: 200, chunkSize: 1024 * 1024 };
  const alone = await cost({ receivers: 1, together: false, ...size });
  console.log(`one alone: ${alone.seconds.toFixed(1)} s`);
  for (const receivers of [2, 4, 8, 16]) {
    const { copies, seconds } = await cost({ receivers, together: true, ...size });
    const times = (seconds / alone.seconds).toFixed(2);
    console.log(`${receivers} together: ${copies.toFixed(2)} copies from the origin, ${times} times as long`);
  }
} else if (values.seed !== undefined) {
  for (const [name, runIn] of worlds) {
    const told = await runIn(Number(values.seed));
    console.log(`${name}: ${report(told)}`);
    if (told.violations.length > 0) process.exitCode = 1;
  }
} else {
  const first = Number(values.from ?? chosen);
  const began = performance.now();
  const end = began + Number(values.minutes) * 60_000;
  const kinds = new Map<string, number[]>();
  const ends = new Map<string, number>();
  let [done, events, virtual] = [0, 0, 0];
  for (; done < Number(values.seeds) && performance.now() < end; done++) {
    for (const [name, runIn] of worlds) {
      const told = await runIn(first + done);
      events += told.events;
      virtual += told.seconds;
      const ended = `${name} ${told.ended}`;
      ends.set(ended, (ends.get(ended) ?? 0) + 1);
      if (told.violations.length === 0) continue;
      const kind = `${name}: ${told.violations[0]!.split('\n')[0]!.replace(/\d+(, ?\d+)*/g, 'N')}`;
      const seeds = kinds.get(kind) ?? [];
      kinds.set(kind, seeds);
      seeds.push(told.seed);
      if (seeds.length === 1) console.log(`${name}: ${report(told)}`);
    }
  }
  const seconds = (performance.now() - began) / 1000;
  for (const [kind, seeds] of kinds)
    console.log(`${seeds.length} times: ${kind}: seeds ${seeds.slice(0, 10).join(' ')}`);
  for (const [kind, count] of [...ends].sort((a, b) => b[1] - a[1])) console.log(`${count} ended ${kind}`);
  const failed = [...kinds.values()].reduce((sum, seeds) => sum + seeds.length, 0);
  console.log(
    `${done} seeds from ${first}, ${failed} failed; ${events} events, ${Math.round(virtual / 3600)} hours in ${Math.round(seconds)} s`,
  );
  process.exitCode = failed === 0 ? 0 : 1;
}
