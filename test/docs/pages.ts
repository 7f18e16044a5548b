/** The pages that people read, and what stands in them: links, anchors, blocks of code. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export const { name, version, homepage, exports } = JSON.parse(readFileSync('package.json', 'utf8'));
/** Where a file of the repository is seen. What follows it is a path here. */
export const BLOB = `${homepage.replace('#readme', '')}/blob/main/`;

/** All that git has and that ends so. */
export const tracked = (...ends: string[]): string[] =>
  execFileSync(
    'git',
    ['-c', 'safe.directory=*', 'ls-files', '--cached', '--others', '--exclude-standard', '-z'],
    {
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
    },
  )
    .split('\0')
    .filter((path) => ends.some((end) => path.endsWith(end)));

export interface Block {
  /** After the three marks: `sh`, `console`, … */
  language: string;
  text: string;
  line: number;
}

export interface Page {
  path: string;
  /** Without its blocks of code. */
  prose: string;
  blocks: Block[];
  /** What an address may name after `#`, as GitHub makes it of headings. */
  anchors: Set<string>;
  /** What its links and pictures name. */
  links: string[];
}

export function readPage(path: string): Page {
  const blocks: Block[] = [];
  const prose: string[] = [];
  let open: (Block & { mark: string }) | undefined;
  readFileSync(path, 'utf8')
    .split('\n')
    .forEach((line, at) => {
      const [, mark, language] = /^ *(```+) *([\w-]*)/.exec(line) ?? [];
      if (open && mark === open.mark && !language) {
        blocks.push({ language: open.language, text: open.text, line: open.line });
        open = undefined;
      } else if (open) open.text += `${line}\n`;
      else if (mark) open = { mark, language: language!, text: '', line: at + 2 };
      else prose.push(line);
    });
  if (open) throw new Error(`${path}: the block in line ${open.line} never ends`);
  const text = prose.join('\n').replace(/<!--[\s\S]*?-->/g, '');
  const bare = text.replace(/`[^`\n]*`/g, (code) => code.replace(/[[\]()]/g, ''));
  const links = [
    ...[...bare.matchAll(/\]\(<?([^()\s>]+(?:\([^()\s]*\))?[^()\s>]*)>?(?: "[^"]*")?\)/g)],
    ...[...bare.matchAll(/\b(?:href|src)="([^"]+)"/g)],
    ...[...bare.matchAll(/^\[[^\]]+\]: (\S+)/gm)],
  ].map(([, link]) => link!);
  return { path, prose: text, blocks, anchors: anchorsOf(text), links };
}

function anchorsOf(text: string): Set<string> {
  const anchors = new Set([...text.matchAll(/\b(?:id|name)="([^"]+)"/g)].map(([, id]) => id!));
  const seen = new Map<string, number>();
  for (const [, heading] of text.matchAll(/^#{1,6} (.+)$/gm)) {
    const words = heading!.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/\\/g, '');
    const slug = words
      .trim()
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\p{M}\s_-]/gu, '')
      .replace(/\s/g, '-');
    const before = seen.get(slug) ?? 0;
    seen.set(slug, before + 1);
    anchors.add(before === 0 ? slug : `${slug}-${before}`);
  }
  return anchors;
}
