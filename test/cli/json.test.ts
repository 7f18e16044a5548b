/** The JSON lines: what a parser reads is what was meant, what a terminal shows is harmless. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { jsonLine, writeEvent } from '../../src/cli/json.ts';
import { Sink } from './fakes.ts';

describe('cli: json', () => {
  it('is one printable line that parses back to the same value', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (file) => {
        const line = jsonLine({ event: 'progress', file });
        assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
        assert.equal(JSON.parse(line).file, file);
      }),
    );
  });

  it('escapes controls, bidi, invisible and tag characters', () => {
    const hostile = '\x1b\x7f\x9b\u00ad\u061c\u200b\u202e\u2028\u2066\ufeff\u{e0041}';
    const line = jsonLine({ hostile });
    assert.match(line, /^[\x20-\x7e]*$/);
    assert.equal(JSON.parse(line).hostile, hostile);
  });

  it('leaves what people can read as it is', () => {
    assert.equal(jsonLine({ file: '写真 é 🐝.txt' }), '{"file":"写真 é 🐝.txt"}');
  });

  it('drops progress and sums, and nothing else, while the reader has no room', () => {
    const sink = new Sink();
    Object.defineProperty(sink, 'writableNeedDrain', { value: true });
    writeEvent(sink, { event: 'progress' });
    writeEvent(sink, { event: 'swarm' });
    writeEvent(sink, { event: 'done' });
    assert.equal(sink.text, '{"event":"done"}\n');
  });
});
