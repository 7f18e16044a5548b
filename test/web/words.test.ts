import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import fc from 'fast-check';
import type { State, TransferEvent } from '../../src/browser/index.ts';
import { advice, errorHeading } from '../../web/model/advice.ts';
import { firstName, keptTitle, percentKept, resumable, sameContents } from '../../web/model/kept.ts';
import { distinct } from '../../web/model/names.ts';
import { pathBadge, pathWords } from '../../web/model/paths.ts';
import { qrPath } from '../../web/model/qr.ts';
import { begun, next } from '../../web/model/running.ts';
import { warningMessage } from '../../web/model/warnings.ts';
import { contentsWords, sentence, shortPrint } from '../../web/model/words.ts';

const CODES = [...readFileSync('src/base/error-codes.ts', 'utf8').matchAll(/^ {2}\| '([A-Z_]+)'/gm)].map(
  (match) => match[1]!,
);

test('every error has a heading of its own, and something to do next', () => {
  assert.ok(CODES.length > 20);
  for (const code of [...CODES, 'NO_SUCH_CODE'])
    for (const role of ['send', 'receive'] as const) {
      const other = code === 'NO_SUCH_CODE';
      assert.equal(errorHeading({ code }, role) === 'The transfer ended too early', other, `${code} ${role}`);
      assert.equal(advice({ code }, role) === 'Try again.', other, `${code} ${role}`);
    }
  const yet = { code: 'WRONG_CODE', reason: 'CODE_WRONG_YET' };
  assert.equal(errorHeading(yet, 'receive'), 'The code was wrong');
  assert.match(advice(yet, 'receive'), /three wrong tries/);
});

test('a receiver is never told to send', () => {
  for (const code of CODES) assert.doesNotMatch(advice({ code }, 'receive'), /\bSend\b/, code);
});

test('paths are told by what they carry', () => {
  const way = (kind: string, relayed = false) => ({ kind, relayed });
  assert.equal(pathWords({ webrtc: 10 }, [way('webrtc'), way('relay', true)]), 'direct, WebRTC');
  assert.equal(pathWords({ relay: 10 }, []), "through the server's relay");
  assert.equal(
    pathWords({ webrtc: 25, relay: 75 }, []),
    "through the server's relay (75%) and direct, WebRTC (25%)",
  );
  assert.equal(pathWords({}, [way('webrtc'), way('webrtc')]), 'direct, WebRTC');
  assert.equal(pathWords({ webrtc: 10 }, [way('webrtc', true), way('relay', true)]), 'through a TURN relay');
  assert.equal(pathWords({ webrtc: 10 }, [way('webrtc', true), way('webrtc')]), 'direct, WebRTC');
  assert.equal(pathWords({}, []), '');
  assert.equal(pathWords({ carrier: 1 }, []), 'carrier');
  assert.equal(pathBadge({ webrtc: 10 }, [way('webrtc'), way('relay', true)]), 'direct');
  assert.equal(pathBadge({ webrtc: 10 }, [way('webrtc', true)]), 'relayed');
  assert.equal(pathBadge({ webrtc: 10, relay: 1 }, []), 'both');
  assert.equal(pathBadge({}, []), undefined);
});

test('contents and fingerprints', () => {
  const contents = { kind: 'files', files: 1234, folders: 1, links: 0, bytes: 1_200_000_000 } as const;
  assert.equal(contentsWords(contents), '1,234 files, 1 folder, 1.20 GB');
  assert.equal(
    contentsWords({ kind: 'files', files: 1, folders: 0, links: 0, bytes: null }),
    '1 file, size not known',
  );
  assert.equal(contentsWords({ kind: 'text', files: 1, folders: 0, links: 0, bytes: 83 }), 'A text, 83 B');
  assert.equal(shortPrint('ab12cd34ef56ab78ffff'), 'ab12 cd34 ef56 ab78');
  assert.equal(shortPrint(''), '');
});

test('a server that is gone is told of until it is back, but not while the two are connected', () => {
  const play = (role: 'send' | 'receive', ...events: TransferEvent[]) =>
    sentence(events.reduce(next, begun(role)));
  const code = { event: 'code', code: '7-velvet-canyon' } as const;
  const to = (state: State) => ({ event: 'state', from: 'idle', to: state }) as const;
  const away = { event: 'server', reachable: false, message: 'x' } as const;
  const back = { event: 'server', reachable: true } as const;
  const gone = /The server cannot be reached\. Trying again…/;
  for (const before of [
    ['send', to('connecting'), code],
    ['receive', to('connecting')],
    ['receive', to('transferring'), to('connecting')],
  ] as const) {
    const [role, ...events] = before;
    assert.doesNotMatch(play(role, ...events), /server (cannot|could)/);
    assert.match(play(role, ...events, away), gone);
    assert.match(play(role, ...events, away, back), /there again/);
    assert.doesNotMatch(play(role, ...events, away, back), gone);
  }
  assert.equal(play('receive', to('transferring'), away), '');
});

test('a sender that waits on says why the one who came is gone', () => {
  const code = { event: 'code', code: '7-velvet-canyon' } as const;
  const waits = { event: 'state', from: 'authenticating', to: 'connecting' } as const;
  const told = (why: object) => sentence([code, { ...waits, ...why }].reduce(next, begun('send')));
  assert.match(
    told({ by: 'peer', code: 'INTERRUPTED' }),
    /^The other side was interrupted\. Waiting for the other side\./,
  );
  assert.match(told({ by: 'peer', code: 'DISK_FULL' }), /^The other device is full\. Waiting for/);
  assert.match(told({}), /^Waiting for the other side/);
});

test('a peer that names a code of its choice puts no words into this page', () => {
  const code = { event: 'code', code: '7-velvet-canyon' } as const;
  const to = (state: State, why?: string) =>
    ({ event: 'state', from: 'idle', to: state, by: 'peer', code: why }) as TransferEvent;
  const connected = to('transferring');
  const named = ['DISK_FULL', 'WRITE_FAILED', 'LOCKED', 'INTERRUPTED'];
  for (const why of CODES) {
    const told = (role: 'send' | 'receive', ...events: TransferEvent[]) =>
      sentence(events.reduce(next, begun(role)));
    const waits = told('send', code, to('connecting', why));
    const again = told('send', connected, to('connecting', why));
    const paused = told('send', connected, to('paused', why));
    if (named.includes(why)) {
      for (const words of [waits, again, paused]) assert.match(words, /^The other (side|device) /, why);
      assert.match(paused, /goes on by itself/, why);
    } else {
      for (const words of [waits, again]) assert.match(words, /^Waiting for the other side\. Keep/, why);
      assert.equal(paused, 'The other side paused.', why);
    }
    assert.equal(told('receive', connected, to('paused', why)), 'The other side paused.', why);
  }
});

test('a warning names its path once', () => {
  const told = (path: string, message: string) =>
    next(begun('receive'), { event: 'warning', code: 'UNSAFE_NAME', path, message }).warnings.map(
      warningMessage,
    );
  assert.deepEqual(told('a\u202eb', "'a\\u{202e}b' is a link."), ["'a\\u{202e}b' is a link."]);
  assert.deepEqual(told('a', 'It changed.'), ['a: It changed.']);
});

test('names of pasted files become distinct and stay what they are otherwise', () => {
  assert.deepEqual(distinct(['image.png', 'image.png', 'image (2).png']), [
    ...['image.png', 'image (3).png', 'image (2).png'],
  ]);
  assert.deepEqual(distinct(['.profile', '.profile']), ['.profile', '.profile (2)']);
  const name = fc.constantFrom('a', 'a (2)', 'a.b', 'a (2).b', 'c');
  fc.assert(
    fc.property(fc.array(name, { maxLength: 12 }), (names) => {
      const made = distinct(names);
      assert.equal(new Set(made).size, names.length);
      if (new Set(names).size === names.length) assert.deepEqual(made, names);
    }),
  );
});

test('ten thousand files of one name are named in as many steps', () => {
  const many = 10_000;
  let tries = 0;
  const { has } = Set.prototype;
  Set.prototype.has = function (value) {
    tries++;
    return has.call(this, value);
  };
  const made = (() => {
    try {
      return distinct(Array.from({ length: many }, () => 'image.png'));
    } finally {
      Set.prototype.has = has;
    }
  })();
  assert.equal(new Set(made).size, many);
  assert.deepEqual([made[0], made[1], made[many - 1]], ['image.png', 'image (2).png', `image (${many}).png`]);
  assert.ok(tries < 10 * many, `${tries} looks`);
});

test('an unfinished transfer goes on under its own code only', () => {
  const kept = { complete: false, name: 'a\u202eb' };
  assert.equal(resumable(kept), true);
  assert.equal(resumable(kept, 'a\\u{202e}b'), true);
  assert.equal(resumable(kept, 'other'), false);
  assert.equal(resumable({ ...kept, complete: true }), false);
  const files = ['a/x', 'a/y', 'b'].map((path) => ({ path })) as never;
  assert.equal(keptTitle({ name: 'a', files, folders: ['a', 'c'] }), 'a and 2 more');
  assert.equal(keptTitle({ name: 'a\u202e', files: [], folders: ['a\u202e'] }), 'a\\u{202e}');
  assert.equal(percentKept({ have: 10, bytes: 10 }), 99);
  assert.equal(percentKept({ have: 0, bytes: 0 }), 0);
});

test('a QR path draws each dark module once, within a quiet zone of four', () => {
  const { size, path } = qrPath('https://beeline.example/#7-velvet-canyon');
  const runs = [...path.matchAll(/M(\d+) (\d+)h(\d+)v1h-(\d+)z/g)].map((run) => run.slice(1).map(Number));
  assert.equal(runs.map(([x, y, w]) => `M${x} ${y}h${w}v1h-${w}z`).join(''), path);
  // The three finders begin with a run of seven at their corners.
  for (const [x, y] of [
    [4, 4],
    [size - 11, 4],
    [4, size - 11],
  ])
    assert.ok(path.includes(`M${x} ${y}h7v1`), `a finder at ${x} ${y}`);
  for (const [x, y, w] of runs)
    assert.ok(x! >= 4 && y! >= 4 && x! + w! <= size - 4 && y! < size - 4, 'in the quiet zone');
});

test('what is gone on with without a question is the same to the last byte and file', () => {
  const file = { path: 'photos/1', size: 10, mtime: 0, mode: 0, blob: async () => new Blob([]) };
  const kept = { name: 'photos', files: [file], folders: ['photos'], bytes: 10 };
  const offer = { names: ['photos/'], files: 1, folders: 1, bytes: 10 };
  assert.equal(firstName(offer), 'photos');
  assert.ok(sameContents(offer, kept));
  const others = [
    { files: 2 },
    { folders: 0 },
    { bytes: 11 },
    { bytes: null },
    { names: ['photo/'] },
    { names: [] },
  ];
  for (const other of others) assert.ok(!sameContents({ ...offer, ...other }, kept), JSON.stringify(other));
  assert.ok(resumable({ complete: false, name: 'photos' }, firstName(offer)));
});
