/**
 * A folder as a page that needs no script: names, sizes and dates, sorted as the query says. Every name goes through the template, which
 * escapes it.
 */
import { createHash } from 'node:crypto';
import { html, raw } from 'hono/html';
import { escapeName } from '../../base/printable.ts';
import { formatBytes } from '../../session/format.ts';
import type { ServedNode } from './tree.ts';

/** Entries of one folder that are looked at and sorted, and rows of one page. */
export const MOST_LISTED = 10_000;
const ROWS = 1_000;

type SortKey = 'name' | 'size' | 'date';
export interface ListingQuery {
  sort: SortKey;
  descending: boolean;
  /** The first page is 1. */
  page: number;
}

export function readQuery(query: URLSearchParams): ListingQuery {
  const given = query.get('sort') ?? 'name';
  const key = given.replace(/^-/, '');
  const sort = key === 'size' || key === 'date' ? key : 'name';
  const page = /^[1-9]\d{0,4}$/.test(query.get('page') ?? '') ? Number(query.get('page')) : 1;
  return { sort, descending: given.startsWith('-'), page };
}

export interface Folder {
  node: ServedNode;
  nodes: readonly ServedNode[];
  /** There is more in it than is listed. */
  more: boolean;
  /** Nothing is above it here. */
  root: boolean;
}

const STYLE = `
:root{color-scheme:light dark}
body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}
h1{font-size:1.25rem;overflow-wrap:anywhere}
nav a,.save a{margin-right:1rem}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.4rem .75rem .4rem 0;border-bottom:1px solid color-mix(in srgb,currentColor 18%,transparent);vertical-align:top}
td:first-child{overflow-wrap:anywhere}
.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.w{white-space:nowrap;font-variant-numeric:tabular-nums}
a{color:LinkText}a:visited{color:VisitedText}
td a{display:inline-block;min-height:1.5rem}
@media(max-width:40rem){.w{display:none}}
`;

/** For this page alone: its one style by its hash, and no script at all. */
export const LISTING_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export function listingPage({ node, nodes, more, root }: Folder, query: ListingQuery): string {
  const sorted = sortNodes(nodes, query);
  const pages = Math.max(1, Math.ceil(sorted.length / ROWS));
  const page = Math.min(query.page, pages);
  const rows = sorted.slice((page - 1) * ROWS, page * ROWS);
  const title = root ? escapeName(node.name) : node.path.map(escapeName).join('/');
  const now = sortText(query);
  const turn = (to: number, words: string) =>
    to < 1 || to > pages ? '' : html`<a href="?sort=${now}&amp;page=${to}">${words}</a>`;
  return String(html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title}</title>
<style>${raw(STYLE)}</style>
</head>
<body>
<h1>${title}</h1>
<p class="save">${root ? '' : html`<a href="../">Up</a>`}<a href="?zip" download>Download all as ZIP</a><a href="?tar" download>as tar</a></p>
${more ? html`<p>This folder has more than ${nodes.length} entries. The first ones are listed; an archive has all.</p>` : ''}
<table>
<thead><tr>${heading('name', 'Name', query)}${heading('size', 'Size', query)}${heading('date', 'Changed', query)}<th></th></tr></thead>
<tbody>
${rows.map(row)}
</tbody>
</table>
${nodes.length === 0 ? html`<p>Nothing is in this folder.</p>` : ''}
${pages > 1 ? html`<nav>${turn(page - 1, 'Before')}Page ${page} of ${pages} ${turn(page + 1, 'Next')}</nav>` : ''}
</body>
</html>
`);
}

function row({ name, kind, size, mtime }: ServedNode) {
  // A name may begin with what looks like a scheme.
  const href = `./${encodeURIComponent(wellFormed(name))}${kind === 'folder' ? '/' : ''}`;
  const shown = `${escapeName(name)}${kind === 'folder' ? '/' : ''}`;
  const date = dateText(mtime);
  return html`<tr><td><a href="${href}">${shown}</a></td><td class="n">${kind === 'file' ? formatBytes(size) : ''}</td><td class="w"><time datetime="${date.replace(' ', 'T')}Z">${date}</time></td><td>${kind === 'file' ? html`<a href="${href}?download" download>Save</a>` : ''}</td></tr>
`;
}

function heading(key: SortKey, words: string, query: ListingQuery) {
  const current = query.sort === key;
  const next = current && !query.descending ? `-${key}` : key;
  const order = current ? (query.descending ? 'descending' : 'ascending') : 'none';
  const side = key === 'size' ? 'n' : key === 'date' ? 'w' : '';
  return html`<th class="${side}" aria-sort="${order}"><a href="?sort=${next}">${words}</a></th>`;
}

const sortText = ({ sort, descending }: ListingQuery): string => `${descending ? '-' : ''}${sort}`;

/** Folders come first. What is equal stays in the order of names, in which they are given. */
function sortNodes(nodes: readonly ServedNode[], { sort, descending }: ListingQuery): ServedNode[] {
  const by = sort === 'size' ? 'size' : 'mtime';
  const sign = descending ? -1 : 1;
  const all = sort === 'name' && descending ? [...nodes].reverse() : [...nodes];
  const order = (a: ServedNode, b: ServedNode) => (sort === 'name' ? 0 : sign * (a[by] - b[by]));
  return all.sort((a, b) => kindOrder(a) - kindOrder(b) || order(a, b));
}

const kindOrder = ({ kind }: ServedNode): number => (kind === 'folder' ? 0 : 1);

/** In UTC, since the page does not know where its reader is. */
function dateText(mtime: number): string {
  const date = new Date(mtime);
  return Number.isNaN(date.getTime()) ? '' : date.toISOString().slice(0, 16).replace('T', ' ');
}

/** Half of a surrogate pair has no UTF-8. */
export function wellFormed(name: string): string {
  return name.replace(/\p{Cs}/gu, '\ufffd');
}
