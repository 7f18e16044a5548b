import assert from 'node:assert/strict';
import test from 'node:test';
import type { Pipe } from '../../src/lanes/pipe.ts';
import { Supervisor } from '../../src/lanes/supervisor.ts';
import { MAX_LANES } from '../../src/protocol/limits.ts';
import { memoryPipes } from './memory-pipe.ts';

function supervisor(role: 'sender' | 'receiver', count: number): Supervisor {
  return new Supervisor({
    role,
    count,
    dial: () => Promise.reject(new Error('nobody there')),
    onLane: () => {},
    onMessage: () => {},
    onSlab: () => {},
    onClosed: () => {},
  });
}

for (const [role, most] of [
  ['sender', MAX_LANES],
  ['receiver', 4],
] as const) {
  test(`a ${role} keeps ${most} lanes, however many the other side opens`, () => {
    const lanes = supervisor(role, 4);
    let refused = 0;
    for (let i = 0; i < MAX_LANES + 10; i++) {
      const pipe: Pipe = memoryPipes()[0];
      const destroy = pipe.destroy;
      pipe.destroy = () => {
        refused++;
        destroy();
      };
      lanes.add(pipe);
    }
    assert.equal([...lanes.lanes].length, most);
    assert.equal(refused, MAX_LANES + 10 - most);
    lanes.close();
  });
}
