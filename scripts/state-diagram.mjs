// Writes docs/states.md from the state table; the test suite checks that it is up to date.
import { writeFileSync } from 'node:fs';
import { register } from 'tsx/esm/api';

register();
const { diagram } = await import('../src/sync/machine.ts');
writeFileSync(
  'docs/states.md',
  `# The states of a transfer

Generated from the table in \`src/sync/machine.ts\` by \`npm run docs\`; do not edit. An arrow reads
\`event / effects\`. States and events are the same on both sides, and \`state\` events carry who caused them.

\`\`\`mermaid
${diagram()}
\`\`\`
`,
);
