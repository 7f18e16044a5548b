import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { test } from 'node:test';
import { makeFiles, runCases } from './conformance.ts';
import { folder, served } from './served.ts';

test('every case of RFC 9110 and RFC 9530 in the table', async (t) => {
  const root = folder(t);
  makeFiles(root, mkdirSync);
  const { serving } = await served(t, [root]);
  const failed = (await runCases(serving.port)).filter(({ wrong }) => wrong.length > 0);
  assert.deepEqual(
    failed.map(({ row, wrong }) => [row.clause, row.what, wrong]),
    [],
  );
});
