// Prints what RFC 9110 and RFC 9530 ask of a server of files, and what `beeline serve` answers: the table of
// test/http/serving/conformance.ts. Fails if anything else came than must.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tsImport } from 'tsx/esm/api';

const { makeFiles, runCases, tableOf } = await tsImport(
  '../test/http/serving/conformance.ts',
  import.meta.url,
);
const { serve } = await import('../dist/index.js');
const root = mkdtempSync(join(tmpdir(), 'beeline-http-'));
try {
  makeFiles(root, mkdirSync);
  const serving = await serve([root], { port: 0, host: '127.0.0.1', access: 'public', configDir: root });
  const results = await runCases(serving.port);
  await serving.close();
  process.stdout.write(tableOf(results));
  if (results.some(({ wrong }) => wrong.length > 0)) process.exitCode = 1;
} finally {
  rmSync(root, { recursive: true, force: true });
}
