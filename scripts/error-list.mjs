// Writes docs/errors.md from the table of reasons; the test suite checks that it is up to date.
import { writeFileSync } from 'node:fs';
import { register } from 'tsx/esm/api';

register();
const { REASONS } = await import('../src/base/reasons.ts');
const rows = Object.entries(REASONS).map(
  ([reason, [code, text]]) => `| \`${reason}\` | \`${code}\` | ${text} |`,
);
writeFileSync(
  'docs/errors.md',
  `# Reasons of errors

Generated from the table in \`src/base/reasons.ts\` by \`npm run docs\`; do not edit.

An error has a \`code\`, which decides the exit status ([json.md](json.md#error-codes-and-exit-codes)). Where a code stands for several
causes, a \`reason\` says which one it is: on a \`BeelineError\`, and in the events \`error\` and \`warning\`. Names stay; new ones may be
added, so treat one that you do not know by its code. Words in braces are filled in. The command adds to some what to type.

| \`reason\` | \`code\` | text |
|---|---|---|
${rows.join('\n')}
`,
);
