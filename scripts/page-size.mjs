// What a first visit to the page costs: every file of dist/web, as a server sends it compressed. Fails above the budget, which
// is that of issue 5, for the larger of the two codings.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';

const FOLDER = 'dist/web';
const BUDGET = 150_000;

const files = readdirSync(FOLDER, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && !/\.(?:br|gz|map)$/.test(entry.name))
  .map((entry) => join(entry.parentPath, entry.name))
  .sort();
if (files.length === 0) throw new Error(`${FOLDER} is empty: run npm run build first.`);

const rows = files.map((file) => {
  const data = readFileSync(file);
  return {
    file,
    plain: data.length,
    gzip: gzipSync(data, { level: 9 }).length,
    brotli: brotliCompressSync(data).length,
  };
});
const sum = (coding) => rows.reduce((total, row) => total + row[coding], 0);
const all = { file: 'all', plain: sum('plain'), gzip: sum('gzip'), brotli: sum('brotli') };

const columns = (row) =>
  ['plain', 'gzip', 'brotli'].map((coding) => String(row[coding]).padStart(8)).join('');
console.log(columns({ plain: 'plain', gzip: 'gzip', brotli: 'brotli' }));
for (const row of [...rows, all]) console.log(`${columns(row)}  ${row.file}`);
if (all.gzip > BUDGET) {
  console.error(`The page has ${all.gzip} bytes compressed: more than ${BUDGET}.`);
  process.exitCode = 1;
}
