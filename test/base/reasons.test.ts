/** Each cause of an error has a name, a text at one place, a place where it arises, and a line in the docs. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { BeelineError, fault, faultFrom, knownReason } from '../../src/base/errors.ts';
import { REASONS } from '../../src/base/reasons.ts';
import { HINTS, withHint } from '../../src/cli/hints.ts';

const TABLE = join('base', 'reasons.ts');
const sources = new Map(
  readdirSync('src', { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.ts'))
    .map((name) => [name, readFileSync(join('src', name), 'utf8')]),
);
/** Those of the library, not of the command, nor of the advice that the doctor gives to people at a command. */
const library = [...sources].filter(([name]) => !/^cli\b|doctor.advise/.test(name));

test('each reason arises somewhere, and is documented with its code and text', () => {
  const thrown = library
    .filter(([name]) => name !== TABLE)
    .map(([, text]) => text)
    .join('\n');
  const docs = readFileSync('docs/errors.md', 'utf8');
  for (const [reason, [code, text]] of Object.entries(REASONS)) {
    assert.ok(thrown.includes(`'${reason}'`), `nothing throws ${reason}`);
    assert.ok(docs.includes(`| \`${reason}\` | \`${code}\` | ${text} |\n`), `${reason}: run npm run docs`);
  }
  const rows = docs.match(/^\| `[A-Z]/gm) ?? [];
  assert.equal(rows.length, Object.keys(REASONS).length, 'docs/errors.md has others: run npm run docs');
});

test('every failure says its reason but those that have one cause: a bug, and what was stopped or cancelled', () => {
  const bare = library.flatMap(([name, text]) =>
    [...text.matchAll(/(?:new BeelineError|asBeelineError)\((?:\w+, )?\s*'(\w+)'[^;]*/g)]
      .filter(
        ([call, code]) => !['INTERNAL', 'INTERRUPTED', 'CANCELLED'].includes(code!) && /^new/.test(call),
      )
      .map(([call]) => `${name}: ${call}`),
  );
  assert.deepEqual(bare, []);
});

test('a reason that came from elsewhere counts only if it is known and belongs to the code beside it', () => {
  assert.equal(knownReason('SERVER_LOST', 'SERVER'), 'SERVER_LOST');
  assert.equal(knownReason('SERVER_LOST', 'NO_PEER'), undefined);
  assert.equal(knownReason('toString', 'SERVER'), undefined);
  assert.equal(knownReason(undefined, 'SERVER'), undefined);
});

test('NO_PATH and DAMAGED always say their reason', () => {
  const bare = library.filter(([, text]) =>
    /(?:new BeelineError|asBeelineError)\((?:\w+, )?\s*'(?:NO_PATH|DAMAGED)'/.test(text),
  );
  assert.deepEqual(
    bare.map(([name]) => name),
    [],
  );
});

test("the library's sentences know no flags of the command", () => {
  const wrong = library.flatMap(([name, text]) =>
    text
      .replace(/\/\*[\s\S]*?\*\//g, '')
      // Variables of a style sheet.
      .replace(/(?<=var\(|[{;])--[a-z-]+/g, '')
      .split('\n')
      .filter(
        (line) =>
          !/^\s*\/\//.test(line) && /['"` (]--[a-z]|\bbeeline (?:trust|send|receive|server)\b/.test(line),
      )
      // The page at a server's address tells a person what to type, and keys are derived from names that nobody reads.
      .filter((line) => !/^\s*'\/'|idA|idB|if \(--|&& --|\|\| --/.test(line))
      .map((line) => `${name}: ${line.trim()}`),
  );
  assert.deepEqual(wrong, []);
});

test('what a text leaves open is filled in, and the cause is kept', () => {
  const cause = new Error('no route');
  const error = fault('ADDRESS_UNREACHABLE', { host: '::1', port: 7 }, { cause, paths: ['a'] });
  assert.deepEqual(
    [error.code, error.reason, error.message, error.cause, error.paths],
    ['NO_PATH', 'ADDRESS_UNREACHABLE', 'Cannot reach ::1:7.', cause, ['a']],
  );
  assert.equal(faultFrom(cause, 'UDP_NO_PORT').message, 'No UDP port can be opened: no route');
  assert.equal(faultFrom(error, 'UDP_NO_PORT'), error, 'what has a reason keeps it');
  // What stands in a value is text, also where it looks like a slot.
  assert.equal(
    fault('RELAY_REFUSED', { what: '{what} $& {x}' }).message,
    "The server's relay gave no connection: {what} $& {x}",
  );
  // @ts-expect-error A slot is not left open.
  assert.match(fault('ADDRESS_UNREACHABLE', { host: 'a' }).message, /undefined/);
  assert.equal(new BeelineError('NO_PATH', 'x').reason, undefined);
});

test('the command adds what to type, where there is something', () => {
  assert.equal(
    withHint(fault('NO_MEETING_PLACE')),
    `${REASONS.NO_MEETING_PLACE[1]} ${HINTS.NO_MEETING_PLACE}`,
  );
  assert.equal(withHint(fault('LANE_CLOSED')), 'The lane is closed.');
});
