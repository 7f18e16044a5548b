import assert from 'node:assert/strict';
import test from 'node:test';
import type { Kept } from '../../src/browser/index.ts';
import { begun } from '../../web/model/running.ts';
import type { View } from '../../web/model/view.ts';
import { Shown } from '../../web/shown.ts';

const kept = {} as Kept;
const home: View = { at: 'home', code: '' };
const transfer: View = { at: 'transfer', running: begun('receive') };

test('what went wrong is said wherever it happens, and what is shown stays', () => {
  for (const view of [home, transfer, { at: 'staging', items: [] } as const]) {
    const shown = new Shown(view);
    shown.fault(new Error('No.'));
    assert.deepEqual(shown.view, { ...view, note: { kind: 'error', text: 'No.' } });
  }
  for (const before of [home, transfer] as const) {
    const shown = new Shown({ at: 'saving', kept, before });
    shown.fault('No.');
    const { view } = shown;
    assert.ok(view.at === 'saving' && view.before.at === before.at);
    assert.equal(view.before.note?.text, 'No.');
  }
});
