/** The commands that stand in a page's blocks, one by one, and those of them that no test can run there. */
import { type Block, readPage } from './pages.ts';

export interface Line {
  /** What is typed. Several lines where only they together are a command: `(` … `)`. */
  text: string;
  /** What the page says of it behind `#`. */
  comment: string;
}

/** Lines, or what they begin with, that are not run from their page, and why. Each has to be in a page. */
const NOT_RUN: Record<string, string> = {
  'npm install --global': 'test/integration/install.heavy.test.ts installs the package',
  'npx @beeline-transfer/beeline': 'test/integration/install.heavy.test.ts installs the package',
  'npm ci': 'it is what runs this test; .ci/run runs each',
  'npm run setup': 'it is npm ci and npm run build, which .ci/run runs',
  'npm run build': 'all other tests run what it made',
  'npm run demo': '.ci/run runs it',
  'npm run test:heavy': 'it is what runs this test',
  'node scripts/test.mjs test/lab/matrix': 'it is one of the heavy tests',
  'npm run bench': 'it takes an hour alone on the machine; .ci/run runs a short one',
  'node scripts/performance.mjs': 'it writes docs/performance.md from what the benchmarks before it measured',
  systemctl: 'no systemd runs here; test/deploy/machine.heavy.test.ts has systemd-analyze look at the units',
  'journalctl --user': 'no systemd runs here',
  loginctl: 'no systemd runs here',
  'launchctl bootstrap': 'it is of macOS; test/deploy/files.test.ts reads the file',
  'docker build': 'no Docker runs here; test/deploy/machine.heavy.test.ts carries out the Dockerfile',
  'docker run': 'no Docker runs here; test/deploy/machine.heavy.test.ts runs what the Dockerfile makes',
  'docker compose': 'no Docker runs here; test/deploy/nginx.heavy.test.ts runs the three instances',
};

/** What is run elsewhere, as NOT_RUN says it: the beginnings of lines. */
export const LEFT_OUT = Object.keys(NOT_RUN);

export const isLeftOut = ({ text }: Line): boolean => LEFT_OUT.some((begun) => text.startsWith(begun));

/** Those blocks of a page that a person types into a shell. */
export function typedBlocks(page: string): Block[] {
  return readPage(page).blocks.filter(({ language }) => ['sh', 'console'].includes(language));
}

/** The commands of a block, without prompts and what a page shows of their answers. */
export function linesOf({ language, text }: Block): Line[] {
  const lines: Line[] = [];
  let open = 0;
  for (const written of text.replace(/\\\n */g, ' ').split('\n')) {
    if (language === 'console' && !written.startsWith('$ ')) continue;
    const [, typed = '', comment = ''] = /^(?:\$ )?(.*?)(?:(?:^|\s+)#\s*(.*))?$/.exec(written)!;
    if (typed.trim() === '') continue;
    if (open > 0) lines.at(-1)!.text += `\n${typed.trim()}`;
    else lines.push({ text: typed.trim(), comment });
    open += parentheses(typed);
  }
  return lines;
}

/** How many more open there than close, outside of quotes. */
function parentheses(text: string): number {
  const bare = text.replace(/"[^"]*"|'[^']*'/g, '');
  return bare.split('(').length - bare.split(')').length;
}
