import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import ts from 'typescript';

/** What is run under a virtual clock and one seed: whole folders, and the logic of lanes. Their transports are not. */
const FOLDERS = ['src/offer', 'src/sync', 'src/sync/store', 'src/session', 'src/lanes'];
/** Time and chance that a file takes by itself, and the clock that is this machine's. */
const OWN = new Set([
  ...['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'requestAnimationFrame'],
  ...['performance', 'Date', 'realClock'],
  ...['crypto', 'webcrypto', 'randomBytes', 'randomUUID', 'getRandomValues'],
]);
/** The same by a member of something that is otherwise harmless. */
const MEMBERS = new Set(['Math.random', 'AbortSignal.timeout']);

/** @returns what of that the code names, with its line; words in comments and strings do not count */
function ownIn(name: string, code: string): string[] {
  const source = ts.createSourceFile(name, code, ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const look = (node: ts.Node): void => {
    const { line } = source.getLineAndCharacterOfPosition(node.getStart());
    const member = ts.isPropertyAccessExpression(node) && MEMBERS.has(node.getText());
    const own = ts.isIdentifier(node) && OWN.has(node.text) && !isMemberName(node);
    const module = ts.isStringLiteral(node) && /^(?:node:)?(?:timers|crypto|perf_hooks)\b/.test(node.text);
    if (member || own || (module && ts.isImportDeclaration(node.parent)))
      found.push(`${name}:${line + 1}: ${node.getText()}`);
    ts.forEachChild(node, look);
  };
  ts.forEachChild(source, look);
  return found;
}

/** `globalThis.setTimeout` is the timer; `options.performance` would be somebody's own. */
function isMemberName(node: ts.Identifier): boolean {
  const { parent } = node;
  return (
    ts.isPropertyAccessExpression(parent) &&
    parent.name === node &&
    parent.expression.getText() !== 'globalThis'
  );
}

test('sessions, engines and the logic of lanes take time and chance from their ports alone', () => {
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(folder, name)),
  );
  assert.ok(files.length > 50, 'the sources are found');
  assert.deepEqual(
    files.flatMap((file) => ownIn(file, readFileSync(file, 'utf8'))),
    [],
  );
});

test('each way to take them is noticed', () => {
  const ways = [
    ...['Date.now()', 'new Date()', 'performance.now()', 'setTimeout(f, 1)', 'globalThis.setTimeout(f)'],
    ...['setInterval(f, 1)', 'Math.random()', 'crypto.randomUUID()', 'AbortSignal.timeout(5)'],
    ...["import { setTimeout as wait } from 'node:timers/promises'", 'const { now } = performance'],
    ...["import { realClock } from '../base/clock.ts'", 'globalThis.crypto.getRandomValues(b)'],
  ];
  for (const way of ways) assert.ok(ownIn('x.ts', way).length > 0, way);
  assert.deepEqual(ownIn('x.ts', "// Date.now()\nconst text = 'setTimeout'; clock.now(); clock.date();"), []);
});
