import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import ts from 'typescript';

/**
 * `push(...list)` and `Math.max(...list)` put a list on the stack, which holds about 120,000 of it: a folder with more
 * files than that ended as a RangeError. Only what has a fixed length by its type may be spread into a call, and what a
 * function was itself called with.
 */
test('no list whose length is open is spread into a call', () => {
  const files = ['src', 'web'].flatMap((root) =>
    readdirSync(root, { recursive: true })
      .map((name) => join(root, String(name)))
      .filter((name) => /\.tsx?$/.test(name)),
  );
  assert.ok(files.length > 200, 'the sources are found');
  const read = ts.readConfigFile('tsconfig.json', ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(read.config, ts.sys, '.');
  const program = ts.createProgram(files, { ...options, noEmit: true });
  const checker = program.getTypeChecker();

  const isRest = (expression: ts.Expression): boolean => {
    const declared = checker.getSymbolAtLocation(expression)?.valueDeclaration;
    return declared !== undefined && ts.isParameter(declared) && declared.dotDotDotToken !== undefined;
  };
  const isFixed = (expression: ts.Expression): boolean => {
    const type = checker.getTypeAtLocation(expression);
    const parts = type.isUnion() ? type.types : [type];
    return parts.every((part) => {
      if (!checker.isTupleType(part)) return false;
      const { target } = part as ts.TupleTypeReference;
      return !target.elementFlags.some((flag) => flag & ts.ElementFlags.Variable);
    });
  };

  const wrong: string[] = [];
  for (const file of files) {
    const source = program.getSourceFile(file)!;
    const look = (node: ts.Node): void => {
      const called = ts.isCallExpression(node.parent) || ts.isNewExpression(node.parent);
      if (ts.isSpreadElement(node) && called && !isRest(node.expression) && !isFixed(node.expression)) {
        const { line } = source.getLineAndCharacterOfPosition(node.getStart());
        wrong.push(`${file}:${line + 1}: ${node.getText()}`);
      }
      ts.forEachChild(node, look);
    };
    ts.forEachChild(source, look);
  }
  assert.deepEqual(wrong, []);
});
