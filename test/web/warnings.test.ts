/** Whatever a page can be warned of, it says in its own language. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import ts from 'typescript';
import { REASONS, type Reason } from '../../src/base/reasons.ts';
import { type WarningShown, warningWords } from '../../web/model/warnings.ts';
import type { Forms, Translation } from '../../web/words/catalogue.ts';
import { de } from '../../web/words/de.ts';
import { en } from '../../web/words/en.ts';
import { es } from '../../web/words/es.ts';
import { fr } from '../../web/words/fr.ts';
import { type Language, use } from '../../web/words/index.ts';
import { zh } from '../../web/words/zh.ts';

const ALL = { de, es, fr, zh } as const;

/** What stands in an element of its own is in brackets. */
const said = (warning: WarningShown) => warningWords(warning, (name) => `[${name}]`)?.join('');

/** What of the engine a page has and warns. */
const FILES = ['session', 'browser', 'wire', 'sync'].flatMap((folder) =>
  readdirSync(join('src', folder), { recursive: true })
    .map((name) => join(folder, String(name)))
    .filter((name) => name.endsWith('.ts')),
);
const WARNS = /(?:^|[.#])(?:warn|warningEvent|onWarning|declareGone)$|notices\.add$/;

/** Calls that pass on what is not made there, with all that it can be. */
const PASSED_ON: Readonly<Record<string, readonly Reason[]>> = {
  // Made where `warn` is called.
  'session/session.ts: warningEvent(error, path)': [],
  'wire/notices.ts: this.#warn(told)': [],
  'browser/receive.ts: session.warn(warning, warning.paths[0])': [],
  'browser/files/folder-sink.ts: options.onWarning(warning)': [],
  // A file that the sender cannot read: at a receiver, and at the sender.
  'session/receiving.ts: this.#session.warn(fault(lost, { file }), path)': [
    'UNREADABLE_THERE',
    'CHANGED_THERE',
  ],
  'sync/reading.ts: this.declareGone(entry, this.#ofOne(entry, error))': faultsIn('browser/files/source.ts'),
  'session/sending.ts: sending.warn(path, error)': [],
  'browser/send.ts: warningEvent(error, path)': [],
  // Of a wrong guess only where several may come, since with one it is the end.
  'session/receivers.ts: warningEvent(error)': ['CODE_GUESSED'],
  // A page names no several devices, whose places would be told one by one.
  'session/receivers.ts: warningEvent(burnt ? error : this.#placeLost(group, error))': [
    'CODE_GUESSED_OUT',
    'PLACE_LOST',
  ],
  // What breaks no rule that says who lies or is silent is told of as a broken rule.
  'session/neighbours.ts: warningEvent(shown, undefined, link.number)': [
    'MEMBER_MISBEHAVES',
    ...faultsIn('sync/helper.ts').filter(
      (reason) => reason === 'MEMBER_SILENT' || REASONS[reason][0] === 'VERIFICATION',
    ),
  ],
};

function parse(name: string): ts.SourceFile {
  return ts.createSourceFile(name, readFileSync(join('src', name), 'utf8'), ts.ScriptTarget.Latest, true);
}

function walk(node: ts.Node, look: (node: ts.Node) => void): void {
  look(node);
  ts.forEachChild(node, (child) => walk(child, look));
}

/** The reasons of the errors that are made in a piece of code. */
function faultsAt(node: ts.Node): Reason[] {
  const found: Reason[] = [];
  walk(node, (one) => {
    if (!ts.isCallExpression(one) || !/^fault(?:At)?$/.test(one.expression.getText())) return;
    const [reason] = one.arguments;
    if (reason && ts.isStringLiteral(reason)) found.push(reason.text as Reason);
  });
  return found;
}

function faultsIn(name: string): Reason[] {
  return faultsAt(parse(name));
}

/** The reasons of all warnings, and those of which many are counted. */
function warnings(): { all: Set<string>; passed: Set<string> } {
  const all = new Set<string>();
  const passed = new Set<string>();
  for (const name of FILES) {
    const source = parse(name);
    const made = new Map<string, Reason[]>();
    walk(source, (node) => {
      if (ts.isVariableDeclaration(node) && node.initializer)
        made.set(node.name.getText(), faultsAt(node.initializer));
    });
    walk(source, (node) => {
      if (!ts.isCallExpression(node)) return;
      const callee = node.expression.getText();
      if (!WARNS.test(callee) || /\blog\b/.test(callee)) return;
      const call = `${name}: ${node.getText().replace(/\s+/g, ' ').replace('?.(', '(')}`;
      if (PASSED_ON[call]) passed.add(call);
      const reasons =
        PASSED_ON[call] ??
        node.arguments.flatMap((one) => [...faultsAt(one), ...(made.get(one.getText()) ?? [])]);
      assert.ok(PASSED_ON[call] || reasons.length > 0, `${call}: what can it be? List it above`);
      for (const reason of reasons) {
        if (reason === 'MORE_ENTRIES') continue;
        all.add(reason);
        if (/notices\.add$/.test(callee)) all.add(`MORE_ENTRIES.${reason}`);
      }
    });
  }
  return { all, passed };
}

test('every warning that a page can get has words in every language, and there are words for no other', () => {
  const { all, passed } = warnings();
  assert.deepEqual([...passed].sort(), Object.keys(PASSED_ON).sort(), 'each of these is still there');
  for (const [language, words] of Object.entries(ALL)) {
    const there = Object.keys(words).filter((key) => key.startsWith('warning.'));
    assert.deepEqual(there.sort(), [...all].map((name) => `warning.${name}`).sort(), language);
  }
});

test('each sentence is filled with what comes with the warning, and with nothing else', (t) => {
  t.after(() => use('en', en));
  for (const [language, words] of Object.entries(ALL)) {
    use(language as Language, words);
    for (const key of Object.keys(words) as (keyof Translation)[]) {
      const [, name = '', like] = /^warning\.(\w+)(?:\.(\w+))?$/.exec(key) ?? [];
      if (name === '') continue;
      const slots = [...REASONS[name as Reason][1].matchAll(/\{(\w+)\}/g)].map(([, slot]) => slot!);
      const values = Object.fromEntries(slots.map((slot) => [slot, slot === 'count' ? 7 : `<${slot}>`]));
      const warning = {
        reason: name as Reason,
        message: 'English.',
        values: { ...values, ...(like && { like }) },
      };
      const text = said({ ...warning, path: 'a\u202eb' });
      assert.ok(
        text !== undefined && !/[{}]/.test(text.replace('\\u{202e}', '')),
        `${language} ${key}: ${text}`,
      );
      const entry: string | Forms = words[key];
      const form = typeof entry === 'string' ? entry : entry.other;
      if (form.includes('{path}')) assert.ok(text.includes('[a\\u{202e}b]'), text);
      if (form.includes('{as}')) assert.ok(text.includes('[<as>]'), text);
      // A peer's or a future version's may come without: then the sentence that did come is shown.
      if (/\{(?!path|n\})/.test(form)) assert.equal(said({ ...warning, values: {} }), undefined, key);
    }
    assert.equal(said({ reason: 'NOT_YET_MADE' as Reason, message: 'English.' }), undefined);
    assert.equal(said({ message: 'English.' }), undefined);
  }
});

test('English says the sentence that came', () => {
  assert.equal(said({ reason: 'TIME_UP', message: 'The time is up.' }), undefined);
});
