import assert from 'node:assert/strict';
import test from 'node:test';
import { fault } from '../../src/base/errors.ts';
import type { Kept } from '../../src/browser/index.ts';
import { begun } from '../../web/model/running.ts';
import type { View } from '../../web/model/view.ts';
import { faultNote, Shown } from '../../web/shown.ts';
import { de } from '../../web/words/de.ts';
import { en } from '../../web/words/en.ts';
import { use } from '../../web/words/index.ts';

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

test('what went wrong is told of in the language of the page, and the sentence of the engine is marked as English', (t) => {
  t.after(() => use('en', en));
  const gone = fault('PICKED_FOLDER_GONE', { name: "'a\u202e'" });
  const escaped = "The folder 'a\\u{202e}' is no longer there. Choose it again.";
  assert.deepEqual(faultNote(gone), { kind: 'error', text: escaped });
  use('de', de);
  const { text, english } = faultNote(gone);
  assert.equal(text, `${de['error.PICKED_FOLDER_GONE']}.`);
  assert.equal(english, escaped);
  // What a browser says itself is in its own language.
  assert.deepEqual(faultNote(new Error('Nein.')), { kind: 'error', text: 'Nein.' });
});
