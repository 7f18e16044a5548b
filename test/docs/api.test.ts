/**
 * The reference in docs/api is of what is exported: its names, the members of its types and the parameters of its functions. It is
 * made by `npm run docs`, which needs all types and takes a while; here the sources are only parsed.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import ts from 'typescript';

const ENTRIES: Record<string, string> = {
  index: 'src/index.ts',
  browser: 'src/browser/index.ts',
  server: 'src/server/index.ts',
  transports: 'src/transports/index.ts',
  stores: 'src/stores.ts',
};
const MAKE_IT = 'Run `npm run docs` and commit docs/api.';

const parsed = new Map<string, ts.SourceFile>();
function parse(path: string): ts.SourceFile {
  const known = parsed.get(path);
  if (known) return known;
  const file = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.ESNext);
  parsed.set(path, file);
  return file;
}

const isExported = (node: ts.Statement) =>
  ts.canHaveModifiers(node) &&
  ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true;

/** The names that a module exports, each with the statement that declares it. */
function exportsOf(path: string): Map<string, ts.Statement | undefined> {
  const found = new Map<string, ts.Statement | undefined>();
  for (const node of parse(path).statements) {
    if (ts.isExportDeclaration(node)) {
      const specifier = node.moduleSpecifier && (node.moduleSpecifier as ts.StringLiteral).text;
      const from = specifier?.startsWith('.') ? join(dirname(path), specifier) : undefined;
      const theirs = from === undefined ? new Map() : exportsOf(from);
      if (node.exportClause && ts.isNamedExports(node.exportClause))
        for (const { name, propertyName } of node.exportClause.elements)
          found.set(name.text, theirs.get((propertyName ?? name).text));
      else for (const [name, declared] of theirs) found.set(name, declared);
    } else if (isExported(node)) for (const name of namesOf(node)) found.set(name, node);
  }
  return found;
}

function namesOf(node: ts.Statement): string[] {
  if (ts.isVariableStatement(node))
    return node.declarationList.declarations.map(({ name }) => (name as ts.Identifier).text);
  const { name } = node as ts.DeclarationStatement;
  return name ? [name.text] : [];
}

/** The public members of a type and the parameters of a function, as they are written where it is declared. */
function partsOf(node: ts.Statement | undefined): string[] {
  if (!node) return [];
  if (ts.isFunctionDeclaration(node)) return node.parameters.map(({ name }) => named(name)).filter(Boolean);
  if (!ts.isInterfaceDeclaration(node) && !ts.isClassDeclaration(node)) return [];
  const members: readonly (ts.TypeElement | ts.ClassElement)[] = node.members;
  return members.filter((member) => !isHidden(member)).flatMap(({ name }) => (name ? named(name) : []));
}

const named = (name: ts.Node): string => (ts.isIdentifier(name) || ts.isStringLiteral(name) ? name.text : '');

const isHidden = (member: ts.Node) =>
  (ts.canHaveModifiers(member) &&
    ts.getModifiers(member)?.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword)) ||
  ts.getJSDocTags(member).some(({ tagName }) => tagName.text === 'internal');

/** What stands about each name in a page. */
function sectionsOf(page: string): Map<string, string> {
  const text = readFileSync(`docs/api/${page}.md`, 'utf8').replaceAll('\\_', '_');
  return new Map(
    text
      .split(/^### /m)
      .slice(1)
      .map((section) => [/^[\w$]+/.exec(section)![0], section]),
  );
}

/** What the page does not say, or says of what there is no more. */
function wrongIn(exported: Map<string, ts.Statement | undefined>, sections: Map<string, string>): string[] {
  const wrong = [...sections.keys()].filter((name) => !exported.has(name)).map((name) => `no more: ${name}`);
  for (const [name, declared] of exported) {
    const section = sections.get(name);
    if (section === undefined) wrong.push(`missing: ${name}`);
    else if (!/^Re-exports /m.test(section))
      for (const part of partsOf(declared))
        if (!new RegExp(`^(?:#{4,6} |\\| \`(?:\\.\\.\\.)?)${part}\\b`, 'm').test(section))
          wrong.push(`missing: ${name}.${part}`);
  }
  return wrong;
}

for (const [page, path] of Object.entries(ENTRIES))
  test(`docs/api/${page}.md has what ${path} exports`, () => {
    const exported = exportsOf(path);
    assert.ok(exported.size > 8, `${exported.size} names`);
    assert.deepEqual(wrongIn(exported, sectionsOf(page)), [], MAKE_IT);
  });

test('each entry of the package is in the reference', () => {
  const { exports } = JSON.parse(readFileSync('package.json', 'utf8'));
  const entries = Object.keys(exports).filter((entry) => !entry.endsWith('.js'));
  assert.deepEqual(entries.map((entry) => entry.slice(2) || 'index').sort(), Object.keys(ENTRIES).sort());
  for (const path of Object.values(ENTRIES)) assert.ok(existsSync(path), path);
});

test('a name, a member and a parameter that the reference has not are found, and a name too many', () => {
  const exported = exportsOf(ENTRIES.index!);
  const sections = sectionsOf('index');
  const before = wrongIn(exported, sections);
  sections.delete('verify');
  sections.set('send', sections.get('send')!.replaceAll('`what`', ''));
  sections.set('Result', sections.get('Result')!.replace('##### root', ''));
  sections.set('gone', '');
  const found = wrongIn(exported, sections).filter((each) => !before.includes(each));
  assert.deepEqual(found.sort(), [
    'missing: Result.root',
    'missing: send.what',
    'missing: verify',
    'no more: gone',
  ]);
});
