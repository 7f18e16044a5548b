// Draws docs/images/recording.svg from a real transfer of the built command: what its two sides said, and when. No figure or line is
// written by hand. Only waits are cut to what a reader needs.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import stringWidth from 'string-width';

const [target = 'docs/images/recording.svg'] = process.argv.slice(2);
const COLUMNS = 76;
/** Both sides are on this machine and nobody else is asked. On a local network nobody types it, and it is not shown. */
const HERE = ['--at', '127.0.0.1:47183'];
const PAUSE_S = { most: 1.2, least: 0.25, end: 5 };
const work = mkdtempSync(join(tmpdir(), 'beeline-recording-'));
const env = {
  PATH: process.env.PATH,
  HOME: work,
  XDG_CACHE_HOME: join(work, 'cache'),
  COLUMNS: String(COLUMNS),
  BEELINE_DHT: 'off',
};
const command = join(process.cwd(), 'dist/cli/main.js');

/** What one side's screen shows, line by line, with the seconds at which each line came. */
class Side {
  lines = [];
  constructor(title) {
    this.title = title;
  }
  say(text, kind = 'out') {
    this.lines.push({ at: performance.now() / 1000, text: text.replace(` ${HERE.join(' ')}`, ''), kind });
  }
  run(args, shown) {
    this.say(`$ ${shown}`, 'typed');
    const child = spawn(process.execPath, [command, ...args], {
      cwd: join(work, this.title),
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let rest = '';
    const take = (text) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      for (const line of lines) this.say(line);
      this.heard?.();
    };
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', take);
    this.ended = new Promise((resolve) => child.on('close', (code) => resolve(code)));
  }
  async hears(pattern) {
    for (;;) {
      const found = this.lines.map(({ text }) => pattern.exec(text)).find(Boolean);
      if (found) return found[1];
      await Promise.race([
        new Promise((resolve) => (this.heard = resolve)),
        this.ended.then((code) => {
          if (code !== undefined)
            throw new Error(`it ended with ${code}: ${this.lines.map(({ text }) => text).join('\n')}`);
        }),
      ]);
    }
  }
}

const [sender, receiver] = [new Side('desk'), new Side('laptop')];
try {
  for (const { title } of [sender, receiver]) mkdirSync(join(work, title));
  const folder = join(work, 'desk/holiday');
  mkdirSync(folder);
  for (let i = 1; i <= 24; i++)
    writeFileSync(join(folder, `IMG_${1000 + i}.jpg`), Buffer.alloc(2_500_000, i));
  sender.run(['send', 'holiday/', '--no-lan', '--no-receipt', ...HERE], 'beeline send holiday/');
  const code = await sender.hears(/^\s*Code: (\S+)/);
  await sender.hears(/^(Waiting)/);
  receiver.run(
    ['receive', code, '--yes', '--no-lan', '--no-receipt', ...HERE],
    `beeline receive ${code} --yes`,
  );
  const ends = await Promise.all([sender.ended, receiver.ended]);
  if (ends.some((each) => each !== 0)) throw new Error(`it ended with ${ends}`);
  writeFileSync(target, draw());
} finally {
  rmSync(work, { recursive: true, force: true });
}
console.log(`${target}: ${sender.lines.length} and ${receiver.lines.length} lines`);

function draw() {
  const moments = [...new Set([...sender.lines, ...receiver.lines].map(({ at }) => at))].sort(
    (a, b) => a - b,
  );
  const shown = new Map();
  let now = 0.3;
  for (const [i, at] of moments.entries()) {
    const real = i === 0 ? 0 : at - moments[i - 1];
    now += real < 0.02 ? 0 : Math.min(PAUSE_S.most, Math.max(PAUSE_S.least, real));
    shown.set(at, now);
  }
  const whole = now + PAUSE_S.end;
  const width = COLUMNS * 7.3 + 32;
  const rows = Math.max(
    ...[sender, receiver].map(({ lines }) => lines.flatMap(({ text }) => wrap(text)).length),
  );
  const height = rows * 18 + 44;
  const panes = [sender, receiver].map((side, at) =>
    pane(side, shown, whole, at * (height + 14), width, height),
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${2 * height + 14}" role="img" aria-label="Two terminals: one sends a folder and shows a code, the other receives it with that code">
<style>
text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;white-space:pre;fill:#d7dde5}
.t{fill:#7ee0b8}.h{fill:#8a94a3}
g.l{animation:in ${whole.toFixed(2)}s step-end infinite}
@media (prefers-reduced-motion:reduce){g.l{animation:none}}
</style>
${panes.join('\n')}
</svg>
`;
}

function pane({ title, lines }, shown, whole, top, width, height) {
  const rows = lines.flatMap(({ at, text, kind }) => wrap(text).map((part) => ({ at, text: part, kind })));
  const frames = rows.map(({ at, text, kind }, row) => {
    const percent = ((shown.get(at) / whole) * 100).toFixed(2);
    const name = `${title}${row}`;
    return `<style>@keyframes ${name}{0%{opacity:0}${percent}%{opacity:1}}</style><g class="l" style="animation-name:${name}"><text x="16" y="${top + 52 + row * 18}"${kind === 'typed' ? ' class="t"' : ''}>${plain(text)}</text></g>`;
  });
  return `<rect x="0" y="${top}" width="${width}" height="${height}" rx="9" fill="#171c24"/><text class="h" x="16" y="${top + 22}">${title}</text>\n${frames.join('\n')}`;
}

function wrap(text) {
  const parts = [''];
  for (const word of text.split(/(?<= )/)) {
    if (stringWidth(parts.at(-1) + word.trimEnd()) > COLUMNS) parts.push('');
    parts[parts.length - 1] += word;
  }
  return parts;
}

function plain(text) {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`).replace(/[\x00-\x08\x0b-\x1f]/g, '');
}
