/** Widths before string-width is loaded: in a file, and so a process, of its own. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { columns, keepEnd, loadWidths } from '../../src/cli/measure.ts';
import { render } from '../../src/cli/progress.ts';
import { Screen } from '../../src/cli/screen.ts';
import { Tracker } from '../../src/cli/tracker.ts';
import { Sink } from './fakes.ts';

describe('cli: widths before they are exact', () => {
  it('are exact for ASCII and the display itself, never too small for the rest, and exact later', async () => {
    assert.equal(columns('abc'), 3);
    assert.equal(columns('━━──…'), 5);
    const wide = '写真é🐝👩‍👩‍👧';
    const early = columns(wide);
    assert.ok(columns(keepEnd(`${wide}${wide}`, 10)) <= 10);
    await loadWidths();
    assert.ok(columns(wide) < early);
    assert.equal(columns('写真'), 4);
  });

  it('a full-width status is redrawn over itself, not over the lines above it', () => {
    const sink = new Sink(true, 80);
    const screen = new Screen(sink, { NO_COLOR: '1' });
    const view = new Tracker();
    view.apply({ event: 'progress', bytes: 5, total: 10, rate: 1, eta: 1, files: 0, by: {}, file: 'a' });
    screen.status(render(view, screen.width));
    sink.text = '';
    screen.status([]);
    assert.equal(sink.text, '\x1b[?2026h\x1b[2A\x1b[J\x1b[?2026l');
  });
});
