/** The page's words: every language has all of them, and none stands anywhere else. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';
import ts from 'typescript';
import { type Common, en, type Forms, type Translation } from '../../web/words/catalogue.ts';
import { de } from '../../web/words/de.ts';
import { es } from '../../web/words/es.ts';
import { fr } from '../../web/words/fr.ts';
import { bestLanguage, type Language, say, sayWith, use } from '../../web/words/index.ts';
import { date, duration, list, percentage, size, speed } from '../../web/words/numbers.ts';
import { zh } from '../../web/words/zh.ts';

const OTHERS: Readonly<Record<Exclude<Language, 'en'>, Translation>> = { de, es, fr, zh };
const ALL: Readonly<Record<Language, Common>> = { en, ...OTHERS };

const texts = (entry: string | Forms): string[] =>
  typeof entry === 'string' ? [entry] : (Object.values(entry) as string[]);
const slots = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!).sort();

test('every language has every key, with the same slots, and each number in all forms of the language', () => {
  const keys = Object.keys(en) as (keyof typeof en)[];
  assert.ok(keys.length > 200);
  for (const [language, words] of Object.entries(ALL)) {
    // Words for warnings are none in English: test/web/warnings.test.ts.
    const all = Object.keys(words).filter((key) => !key.startsWith('warning.'));
    assert.deepEqual(all.sort(), [...keys].sort(), language);
    const categories = new Intl.PluralRules(language).resolvedOptions().pluralCategories.sort();
    for (const key of keys) {
      const entry = words[key] as string | Forms;
      const what = `${language} ${key}`;
      assert.equal(typeof entry, typeof en[key], what);
      if (typeof entry !== 'string') assert.deepEqual(Object.keys(entry).sort(), categories, what);
      const wanted = new Set(slots(texts(en[key] as string | Forms).at(-1)!));
      for (const text of texts(entry)) {
        assert.ok(text.trim() !== '', what);
        assert.deepEqual(new Set(slots(text)), wanted, `${what}: ${text}`);
      }
    }
  }
});

test('what is said of a warning has the same slots in every language, and each number all forms', () => {
  const keys = (Object.keys(de) as (keyof Translation)[]).filter((key) => key.startsWith('warning.'));
  assert.ok(keys.length > 10);
  for (const [language, words] of Object.entries(OTHERS)) {
    const categories = new Intl.PluralRules(language).resolvedOptions().pluralCategories.sort();
    for (const key of keys) {
      const entry: string | Forms = words[key];
      if (typeof entry !== 'string') assert.deepEqual(Object.keys(entry).sort(), categories, key);
      assert.deepEqual(slots(texts(entry).at(-1)!), slots(texts(de[key]).at(-1)!), `${language} ${key}`);
    }
  }
});

test('a translation is no copy of the English text', () => {
  for (const [language, words] of Object.entries(ALL)) {
    if (language === 'en') continue;
    const same = Object.keys(en).filter((key) => {
      const text = texts(en[key as keyof typeof en] as string | Forms).at(-1)!;
      const theirs = texts(words[key as keyof typeof en] as string | Forms).at(-1)!;
      return text === theirs && / [a-z]/.test(text) && text.replace(/\{\w+\}|[^a-z]/gi, '').length > 4;
    });
    assert.deepEqual(same, [], language);
  }
});

test('each language speaks to a person in one way', () => {
  const other: Readonly<Record<Exclude<Language, 'en'>, RegExp>> = {
    de: /(?<!\p{L})(?:du|dir|dich|dein\p{L}*|ihr beide|euch)(?!\p{L})/iu,
    es: /(?<!\p{L})(?:tú|tus?|te|ti|os|enviarte|\p{L}+(?:áis|éis))(?!\p{L})/iu,
    fr: /(?<!\p{L})(?:tu|tes?|ton|ta|toi)(?!\p{L})/iu,
    zh: /你/u,
  };
  for (const [language, words] of Object.entries(OTHERS)) {
    const pattern = other[language as keyof typeof other];
    const wrong = Object.values(words)
      .flatMap((entry) => texts(entry))
      .filter((text) => pattern.test(text));
    assert.deepEqual(wrong, [], language);
  }
});

test('numbers, sizes and times are written as the language writes them', (t) => {
  t.after(() => use('en', en));
  assert.deepEqual(
    [size(83), size(1_234_567), speed(2e7), percentage(42)],
    ['83 B', '1.23 MB', '20.0 MB/s', '42%'],
  );
  assert.deepEqual(
    [duration(29), duration(75), duration(3900), duration(0.4)],
    [...['29 sec', '1 min 15 sec', '1 hr 5 min', '0.4 sec']],
  );
  assert.equal(say('files', { n: 1234 }), '1,234 files');
  assert.equal(list(['a', 'b'], 'or'), 'a or b');
  use('de', de);
  assert.equal(size(1_234_567), '1,23 MB');
  assert.match(say('files', { n: 1234 }), /1\.234/);
  assert.match(date(Date.UTC(2026, 0, 2, 12)), /2026/);
  use('fr', fr);
  assert.match(size(1_234_567), /1,23\sMo/);
  use('zh', zh);
  assert.equal(say('files', { n: 1 }).includes('1'), true);
});

test('in French no line begins with a sign', (t) => {
  t.after(() => use('en', en));
  use('fr', fr);
  const said = [say('running.stopHint'), say('save.inFolder', { name: 'a : b' }), say('remember.title')];
  for (const text of said) assert.match(text, /\u00a0[;»?]/);
  assert.match(said[1]!, /«\u00a0a : b\u00a0»/, 'a name stays as it is');
  assert.doesNotMatch(said.join('').replace('a : b', ''), / [:;!?»]|« /);
});

test('the language is the first of the wishes that there is', () => {
  assert.equal(bestLanguage(['it-IT', 'fr-CA', 'de']), 'fr');
  assert.equal(bestLanguage(['zh-Hans-CN', 'en']), 'zh');
  assert.equal(bestLanguage(['en-GB', 'de']), 'en');
  assert.equal(bestLanguage(['it', '']), 'en');
  assert.equal(bestLanguage([]), 'en');
});

test('a text with something in it that can be seen keeps its order', () => {
  assert.deepEqual(sayWith('insecure.open', { https: true }), [
    'Open the same address with ',
    true,
    ' in front.',
  ]);
});

/** Attributes that people read or hear. */
const READ = new Set(['label', 'aria-label', 'aria-valuetext', 'title', 'placeholder', 'alt']);
/** What is no language: the program's name, its command, an example of a code. */
const SAME_EVERYWHERE = /^(?:Beeline|https:\/\/|beeline [\w -]*|7-velvet-canyon|[^\p{L}]*)$/u;
/** A sentence, or the beginning of one. */
const SENTENCE = /^[A-Z][a-z]+(?: [a-z]+|[.…?!])/;

test('no word that people read stands outside of the catalogue', () => {
  const modules = readdirSync('web', { recursive: true })
    .map(String)
    .filter((name) => /\.tsx?$/.test(name) && !/^words\/\w+\.ts$|\.d\.ts$|config\.ts$/.test(name));
  assert.ok(modules.length > 40);
  const found: string[] = [];
  for (const name of modules) {
    const source = ts.createSourceFile(
      name,
      readFileSync(`web/${name}`, 'utf8'),
      ts.ScriptTarget.Latest,
      true,
    );
    const look = (node: ts.Node): void => {
      const parent = node.parent;
      const text =
        ts.isJsxText(node) || ts.isStringLiteralLike(node) || ts.isTemplateHead(node) ? node.text.trim() : '';
      const shown =
        ts.isJsxText(node) ||
        (parent && ts.isJsxAttribute(parent) && READ.has(parent.name.getText())) ||
        (SENTENCE.test(text) && !(parent && ts.isNewExpression(parent)));
      if (text !== '' && shown && !SAME_EVERYWHERE.test(text)) found.push(`${name}: ${text}`);
      ts.forEachChild(node, look);
    };
    look(source);
  }
  assert.deepEqual(found, []);
});
