import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import fc from 'fast-check';
import { diagram, type Event, isFinal, type State, step, TABLE } from '../../src/sync/machine.ts';

const states = Object.keys(TABLE) as State[];
const events: Event[] = [
  'start',
  'peer-found',
  'peer-left',
  'lane-up',
  'lanes-lost',
  'peer-ended',
  'pause',
  'resume',
  'verified',
  'cancel',
  'fail',
];

test('every state that is not final can fail and be cancelled, and final ones have no way out', () => {
  for (const state of states) {
    if (isFinal(state)) assert.ok(events.every((event) => step(state, event) === undefined));
    else
      for (const event of ['fail', 'cancel'] as const)
        assert.ok(step(state, event)?.effects.includes('stop'), state);
  }
  assert.deepEqual(states.filter(isFinal).sort(), ['cancelled', 'completed', 'failed']);
});

test('any sequence of events keeps the machine in its table, and every state is reachable', () => {
  const seen = new Set<State>();
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...events), { maxLength: 40 }), (sequence) => {
      let state: State = 'idle';
      for (const event of ['start' as const, ...sequence]) {
        seen.add(state);
        const next = step(state, event);
        if (!next) continue;
        assert.ok(!isFinal(state), 'nothing leaves a final state');
        assert.ok(states.includes(next.to));
        assert.ok(next.to !== state || next.effects.length > 0, 'a row changes the state or does something');
        if (next.to === 'completed') assert.equal(event, 'verified', 'only a verified transfer completes');
        state = next.to;
      }
      seen.add(state);
    }),
    { numRuns: Number(process.env.RUNS ?? 2000) },
  );
  assert.equal(seen.size, states.length);
});

test('docs/states.md shows this very table (npm run docs writes it)', () => {
  assert.ok(readFileSync('docs/states.md', 'utf8').includes(diagram()), 'run: npm run docs');
});
