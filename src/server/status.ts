/** `/status`: how the server is, for a person. Only sums, nothing about one client; without a script. */
import type { MadeAnswers } from './page.ts';
import type { ServerReport } from './report.ts';

const SECOND_MS = 1000;
const STEPS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

const STYLE = `:root{color-scheme:light dark;font:1rem/1.5 system-ui,sans-serif}
body{margin:2rem auto;max-width:40rem;padding:0 1rem}
table{border-collapse:collapse;margin:0 0 2rem;width:100%}
caption{font-weight:600;text-align:start}
th,td{border-bottom:1px solid;padding:.3rem .5rem .3rem 0;text-align:start;vertical-align:top}
th{font-weight:400;width:50%}
`;

export function statusAnswers(report: () => ServerReport): MadeAnswers {
  return new Map([
    ['/status', () => ({ status: 200, text: statusPage(report()), type: 'text/html; charset=utf-8' })],
    ['/status.css', () => ({ status: 200, text: STYLE, type: 'text/css; charset=utf-8' })],
  ]);
}

type Row = readonly [what: string, value: string];

function statusPage({ version, uptime, unready, counts, tally, limits, ...services }: ServerReport): string {
  const { relay, turn, stunPorts } = services;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Beeline server: ${unready === undefined ? 'ready' : 'not ready'}</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/status.css">
</head>
<body>
<main>
<h1>Beeline server</h1>
<p role="status">${unready === undefined ? 'Ready: senders and receivers can meet here.' : `Not ready. ${escaped(unready)}`}</p>
${table('This server', [
  ['Version', version],
  ['Up for', lasting(uptime)],
  ['Relay', relay ? 'on' : 'off'],
  ['TURN server', turn ? 'recommended' : 'none'],
  ['STUN ports', stunPorts.length === 0 ? 'none' : stunPorts.join(', ')],
])}
${table('Now', [
  ['Meetings', ofMost(counts.mailboxes, limits.mailboxes)],
  ['Connections at meetings', ofMost(counts.connections, limits.connections)],
  ['Relayed connections', ofMost(counts.relayPairs, limits.relayPairs)],
])}
${table('Since the start', [
  ['Meetings', String(tally.meetings)],
  ['Relayed connections', String(tally.relayPairs)],
  ['Relayed', bytes(counts.relayBytes)],
])}
${table('Limits', [
  ['Relayed for one meeting', bytes(limits.relayMailboxBytes)],
  ['Relayed in a day for one address', bytes(limits.relayAddressBytes)],
  ['Relayed in a second, in all', limits.relayRate === 0 ? 'no limit' : bytes(limits.relayRate)],
  ['Meetings of one address', String(limits.mailboxesPerAddress)],
  ['A meeting may last', lasting(limits.mailboxAge)],
])}
</main>
</body>
</html>
`;
}

function table(caption: string, rows: readonly Row[]): string {
  const lines = rows.map(
    ([what, value]) => `<tr><th scope="row">${escaped(what)}</th><td>${escaped(value)}</td></tr>`,
  );
  return `<table>\n<caption>${escaped(caption)}</caption>\n<tbody>\n${lines.join('\n')}\n</tbody>\n</table>`;
}

const ofMost = (count: number, most: number): string => `${count} of at most ${most}`;

function bytes(count: number): string {
  let [value, step] = [count, 0];
  for (; value >= 1024 && step < STEPS.length - 1; step++) value /= 1024;
  return `${step === 0 ? value : Number(value.toPrecision(3))} ${STEPS[step]}`;
}

/** As coarse as a person wants it. */
function lasting(milliseconds: number): string {
  const minutes = Math.floor(milliseconds / (60 * SECOND_MS));
  if (minutes < 1) return 'less than a minute';
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 72 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escaped = (text: string): string => text.replace(/[&<>"]/g, (character) => ESCAPES[character]!);
