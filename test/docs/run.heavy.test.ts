/**
 * Every command of the README and of the manual, run as it stands there: by a shell, in a terminal, from the packed package, page by
 * page. Two people do so, each with a home folder, in a network of their own, in which the names of the pages are names. What a page
 * shows for one side only gets its other side here. What cannot be run here is listed with the reason.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { ip, ipBatch, makeNamespace, prefixOf, removeNamespace, uniqueName } from '../../lab/ip.ts';
import { whyNoNamespaces } from '../../lab/namespaces.ts';
import { installPacked, name, ROOT } from '../integration/packed.ts';
import { journaled } from '../integration/workspace.ts';
import { type Block, readPage, tracked } from './pages.ts';

const PAGES = tracked('.md').filter((path) => path === 'README.md' || path.startsWith('docs/manual/'));

/** Lines, or what they begin with, that are not run here, and why. Each has to be in a page. */
const NOT_RUN: Record<string, string> = {
  'npm install --global': 'test/integration/install.heavy.test.ts installs the package',
  'npx @beeline-transfer/beeline': 'test/integration/install.heavy.test.ts installs the package',
  'npm ci --ignore-scripts && npm test': 'it is what runs this test',
  'npm ci && npm run demo': '.ci/run runs it',
  'npm run test:heavy': 'it is what runs this test',
  'HTTPS_PROXY=': 'test/integration/proxy.test.ts has the proxies',
  'beeline send report.pdf --server https://meet.example --proxy':
    'test/integration/proxy.test.ts has the proxies',
  'beeline receive 7-velvet-canyon --server https://meet.example --proxy':
    'test/integration/proxy.test.ts has the proxies',
};
/** Those of a page, by its blocks, that are run by the other person. By default `receive` alone is. */
const THERE: Record<string, number[]> = { 'docs/manual/inbox.md': [0, 2], 'docs/manual/update.md': [1] };
/** Blocks for which servers at https://meet.example and http://meet.example:4848 have to be there before. */
const NEEDS_SERVER = /server https?:\/\/meet\.example/;

/** Milliseconds until a command must show what it shows, or end: a machine where others run too takes its time. */
const DEADLINE = 90_000;
const CODE = /\b\d{1,7}-[a-z]+(?:-[a-z]+)+\b/;
const LINK = /https?:\/\/\S+/;
const ADDRESS = '192.168.1.7';
const missing = whyNoNamespaces();
const skip = missing !== undefined && !process.env.CI ? missing : false;

describe('docs: the manual, command by command', { skip }, () => {
  const namespace = uniqueName('manual');
  const hosts = join('/etc/netns', namespace);
  const running = new Set<Terminal>();
  let dir: string;

  before(() => {
    assert.equal(missing, undefined);
    dir = installPacked();
    mkdirSync(join(dir, 'bin'));
    const command = join(dir, 'node_modules', name, 'dist/cli/main.js');
    writeFileSync(join(dir, 'bin/beeline'), `#!/bin/sh\nexec '${process.execPath}' '${command}' "$@"\n`);
    chmodSync(join(dir, 'bin/beeline'), 0o755);
    makeNamespace(namespace);
    // Its own hosts, which `ip netns exec` puts in the place of this machine's.
    mkdirSync(hosts, { recursive: true });
    writeFileSync(
      join(hosts, 'hosts'),
      `127.0.0.1 localhost\n${ADDRESS} meet.example server.example sender.example\n`,
    );
    writeFileSync(join(hosts, 'resolv.conf'), '');
    ip('-n', namespace, 'link', 'add', 'lan', 'type', 'veth', 'peer', 'name', 'far');
    ipBatch(namespace, [
      'link set lan up',
      'link set far up',
      `addr add ${ADDRESS}/24 dev lan`,
      'route add default dev lan',
    ]);
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
        ...['-subj', '/CN=meet.example', '-addext', 'subjectAltName=DNS:meet.example'],
        ...['-keyout', join(dir, 'privkey.pem'), '-out', join(dir, 'fullchain.pem')],
      ],
      { stdio: 'ignore' },
    );
  });
  // What a page that failed has left.
  afterEach(async () => {
    for (const pid of running.size > 0 ? ip('netns', 'pids', namespace).split('\n') : [])
      if (pid !== '') killed(Number(pid));
    await Promise.all([...running].map((terminal) => terminal.kill()));
  });
  after(() => {
    removeNamespace(namespace);
    rmSync(hosts, { recursive: true, force: true });
    if (dir) rmSync(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  });

  /** One of the two, with what the pages' commands name. */
  class Person {
    readonly home: string;
    readonly env: NodeJS.ProcessEnv;

    constructor(page: string, who: string) {
      this.home = join(dir, page.replace(/\W+/g, '-'), who);
      mkdirSync(this.home, { recursive: true });
      this.env = {
        ...{
          PATH: `${join(dir, 'bin')}:${process.env.PATH}`,
          HOME: this.home,
          TERM: 'xterm',
          LANG: 'C.UTF-8',
        },
        ...{ NODE_EXTRA_CA_CERTS: join(dir, 'fullchain.pem'), BEELINE_DHT: 'off', SHELL: '/bin/sh' },
      };
    }

    /** A folder to work in, with files to send and what a server's owner has. */
    folder(called: string): string {
      const at = join(this.home, called);
      for (const folder of ['holiday', 'photos', 'project/old'])
        mkdirSync(join(at, folder), { recursive: true });
      for (const file of ['holiday/a.jpg', 'photos/b.jpg', 'project/c.c', 'project/d.log', 'project/old/e.c'])
        writeFileSync(join(at, file), randomBytes(3000));
      for (const file of ['notes.txt', 'disk.img', 'film.mkv', 'report.pdf', 'slides.pdf'])
        writeFileSync(join(at, file), randomBytes(200_000));
      for (const file of ['fullchain.pem', 'privkey.pem']) cpSync(join(dir, file), join(at, file));
      return at;
    }

    empty(called: string): string {
      const at = join(this.home, called);
      mkdirSync(at);
      return at;
    }

    start(line: string, cwd: string): Terminal {
      return new Terminal(line, cwd, this.env);
    }

    /** Runs what ends by itself. */
    async run(line: string, cwd: string): Promise<string> {
      const terminal = this.start(line, cwd);
      await terminal.ends(0);
      return terminal.text;
    }

    async key(): Promise<string> {
      return /\bbl1\w{20,}/.exec(await this.run('beeline trust', this.home))![0];
    }
  }

  /** A line in a terminal, at which somebody says yes to what is asked. */
  class Terminal {
    text = '';
    readonly #line: string;
    readonly #child: ChildProcess;
    readonly #ended: Promise<number | null>;
    readonly #news = new EventEmitter();
    #status: number | null | undefined;

    constructor(line: string, cwd: string, env: NodeJS.ProcessEnv) {
      this.#line = line;
      const words = [
        ...prefixOf(namespace),
        'script',
        '--quiet',
        '--return',
        '--flush',
        '--command',
        line,
        '/dev/null',
      ];
      this.#child = spawn(words[0]!, words.slice(1), { cwd, env, stdio: ['pipe', 'pipe', 'inherit'] });
      running.add(this);
      this.#child.stdin!.on('error', () => {});
      let asked = 0;
      this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
        // As it is read, without what moves the cursor.
        this.text += stripVTControlCharacters(text);
        if (/\[y\/N\]\s*$/.test(this.text) && this.text.length > asked) {
          asked = this.text.length;
          this.#child.stdin!.write('y\r');
        }
        this.#news.emit('more');
      });
      this.#ended = new Promise((resolve) =>
        this.#child.on('close', (status) => {
          this.#status = status;
          running.delete(this);
          this.#news.emit('more');
          resolve(status);
        }),
      );
    }

    get over(): boolean {
      return this.#status !== undefined;
    }

    /** Waits until it shows that. */
    async shows(what: RegExp): Promise<string> {
      const signal = AbortSignal.timeout(DEADLINE);
      for (;;) {
        const [found] = what.exec(this.text) ?? [];
        if (found !== undefined) return found;
        if (this.over || signal.aborted) assert.fail(`${this.#line} does not show ${what}: ${this.text}`);
        await once(this.#news, 'more', { signal }).catch(() => {});
      }
    }

    async ends(...statuses: number[]): Promise<void> {
      const signal = AbortSignal.timeout(DEADLINE);
      while (!this.over && !signal.aborted) await once(this.#news, 'more', { signal }).catch(() => {});
      if (!this.over) assert.fail(`${this.#line} does not end: ${this.text}`);
      if (!statuses.includes(this.#status!))
        assert.fail(`${this.#line} ends with ${this.#status}: ${this.text}`);
    }

    /** Ctrl-C. */
    interrupt(): void {
      this.#child.stdin!.write('\x03');
    }

    async kill(): Promise<void> {
      this.#child.stdin!.end();
      this.#child.kill('SIGKILL');
      await this.#ended;
    }
  }

  /** A page's own, from top to bottom. */
  class Reader {
    readonly here: Person;
    readonly there: Person;
    readonly #page: string;
    /** What runs on until the page ends, such as an inbox. */
    readonly #kept: Terminal[] = [];
    #needsServer = false;
    #others = 0;
    ran = 0;

    constructor(page: string) {
      this.#page = page;
      this.here = new Person(page, 'here');
      this.there = new Person(page, 'there');
    }

    async read(blocks: readonly Block[]): Promise<void> {
      for (const [at, block] of blocks.entries()) {
        const lines = linesOf(block).filter((line) => !isNotRun(line));
        if (lines.length > 0) await this.#block(lines, at);
      }
      for (const terminal of this.#kept) {
        terminal.interrupt();
        await terminal.ends(0, 130);
      }
    }

    async #block(lines: readonly string[], at: number): Promise<void> {
      const { here, there } = this;
      const [mine, theirs] = [here.folder(`work-${at}`), there.empty(`work-${at}`)];
      const servers: Terminal[] = [];
      // Also where an earlier block has set it.
      this.#needsServer ||= NEEDS_SERVER.test(lines.join('\n'));
      if (this.#needsServer && !lines.some((line) => line.startsWith('beeline server')))
        for (const line of [
          'beeline server --port 443 --tls-cert fullchain.pem --tls-key privkey.pem --no-stun',
          'beeline server',
        ]) {
          servers.push(here.start(line, mine));
          await servers.at(-1)!.shows(/meet here|https?:\/\//i);
        }
      /** The last that waits for somebody, and the code that it shows. */
      let waiting: { terminal: Terminal; line: string; code: string } | undefined;
      if (lines.some((line) => line.startsWith('beeline resume '))) await this.#interrupted(mine);
      for (const written of lines) {
        this.ran++;
        const line = await this.#fit(written, waiting?.code, theirs);
        const byThem = THERE[this.#page]?.includes(at) || /\bbeeline receive\b/.test(line);
        const who = byThem ? there : here;
        const cwd = byThem ? theirs : mine;
        if (/\bbeeline receive\b/.test(line)) {
          const sender = waiting?.terminal ?? (await this.#sender(line, mine));
          waiting = undefined;
          await who.run(line, cwd);
          await sender.ends(0);
        } else if (/^beeline send\b/.test(line) && !/--dry-run|--later/.test(line)) {
          if (waiting) await this.#other(waiting);
          waiting = undefined;
          await this.#trusted(line);
          const terminal = who.start(line, cwd);
          if (/--device/.test(line) && lines.some((each) => /^beeline receive --device/.test(each)))
            waiting = { terminal, line, code: '' };
          else if (/--device/.test(line)) await terminal.ends(0);
          else if (/--psk-file/.test(line)) {
            cpSync(join(mine, 'key'), join(theirs, 'key'));
            await terminal.shows(/receive/);
            waiting = { terminal, line, code: '' };
          } else
            waiting = {
              terminal,
              line,
              code: /--json/.test(line) ? await codeInJson(terminal) : await terminal.shows(CODE),
            };
        } else if (/^beeline serve /.test(line)) {
          const terminal = who.start(line, cwd);
          this.#fetch(await terminal.shows(LINK));
          terminal.interrupt();
          await terminal.ends(0, 130);
        } else if (/^beeline (server|listen)\b/.test(line) && !/--check/.test(line)) {
          const terminal = who.start(line, cwd);
          await terminal.shows(/listening|meet|http|waiting|inbox/i);
          (/listen/.test(line) ? this.#kept : servers).push(terminal);
          // The next one may want its port.
          if (lines.filter((each) => each.startsWith('beeline server')).length > 1) {
            terminal.interrupt();
            await terminal.ends(0, 130);
          }
        } else {
          await who.run(line, cwd);
          if (/^beeline config set server/.test(line)) await there.run(line, theirs);
        }
      }
      if (waiting) await this.#other(waiting);
      for (const server of servers) {
        if (server.over) continue;
        server.interrupt();
        await server.ends(0, 130);
      }
    }

    /** The line with the code that there is, the keys, and folders that are this test's. */
    async #fit(line: string, code: string | undefined, theirs: string): Promise<string> {
      const folders = line.replace(/(?<![\w.~])\/(srv|etc|usr)\//g, (_, top) => `${join(dir, top)}/`);
      for (const [path] of folders.matchAll(new RegExp(`${dir}/(?:srv|etc|usr)/[\\w/.-]+`, 'g')))
        mkdirSync(/\.\w+$|_beeline$/.test(path) ? join(path, '..') : path, { recursive: true });
      if (line.includes('server.yaml')) {
        const sample = readFileSync(join(ROOT, 'deploy/server.yaml'), 'utf8');
        writeFileSync(join(dir, 'etc/beeline/server.yaml'), sample.replaceAll('/etc/', `${dir}/etc/`));
        for (const file of ['fullchain.pem', 'privkey.pem'])
          cpSync(join(dir, file), join(dir, 'etc/beeline', file));
      }
      if (line.includes('code.txt')) writeFileSync(join(theirs, 'code.txt'), '7-velvet-canyon\n');
      const receipts = join(this.there.home, '.local/state/beeline/receipts');
      let fit = folders;
      if (/bl1(\.\.\.|laptop)/.test(fit)) fit = fit.replace(/bl1(\.\.\.|laptop)/, await this.there.key());
      if (/bl1desk/.test(fit)) fit = fit.replace('bl1desk', await this.here.key());
      if (/receipts\/\S+\.jsonl/.test(fit))
        fit = fit.replace(/receipts\/\S+\.jsonl/, `receipts/${readdirSync(receipts)[0]}`);
      return code ? fit.replace(/\b\d+-velvet-canyon\b/, code) : fit;
    }

    /** The devices that are named trust this one, and wait where nothing in the page does. */
    async #trusted(line: string): Promise<void> {
      const { here, there } = this;
      const names = [...line.matchAll(/--device (\w+)/g)].map(([, named]) => named!);
      if (names.length === 0 || this.#kept.length > 0) return;
      const mine = await here.key();
      for (const named of names) {
        const person = names.length === 1 ? there : new Person(this.#page, named);
        await person.run(`beeline trust add desk ${mine}`, person.home);
        if (person === there) continue;
        await here.run(`beeline trust add ${named} ${await person.key()}`, here.home);
        this.#kept.push(person.start('beeline listen --to ~/Inbox', person.home));
      }
    }

    /** Leaves something unfinished in Downloads, as whoever closes the terminal does. */
    async #interrupted(cwd: string): Promise<void> {
      const { here } = this;
      // Of several chunks: only whole ones are kept.
      writeFileSync(join(cwd, 'large.img'), randomBytes(12 << 20));
      const downloads = join(here.home, 'Downloads');
      mkdirSync(downloads);
      const sender = here.start('beeline send large.img --limit 1M', cwd);
      const receiver = here.start(
        `beeline receive ${await sender.shows(CODE)} --yes --to ~/Downloads`,
        here.home,
      );
      await journaled(downloads);
      for (const terminal of [receiver, sender]) await terminal.kill();
    }

    /** Whoever sends what a page only receives. */
    async #sender(line: string, cwd: string): Promise<Terminal> {
      const server = /--server \S+/.exec(line)?.[0] ?? '';
      // What was received before stands there already.
      const file = `notes-${this.ran}.txt`;
      cpSync(join(cwd, 'notes.txt'), join(cwd, file));
      const terminal = this.here.start(`beeline send ${file} --code 7-velvet-canyon ${server}`, cwd);
      await terminal.shows(/receive/);
      return terminal;
    }

    /** Whoever receives what a page only sends. */
    async #other({
      terminal,
      line,
      code,
    }: {
      terminal: Terminal;
      line: string;
      code: string;
    }): Promise<void> {
      const { there } = this;
      if (/--http/.test(line)) {
        this.#fetch(await terminal.shows(LINK));
        return terminal.ends(0);
      }
      const several = /--receivers (\w+)/.exec(line)?.[1] ?? '1';
      const flags = /--server \S+/.exec(line)?.[0] ?? '';
      for (let at = 0; at < (Number(several) || 1); at++)
        await there.run(
          `beeline receive ${code} --yes --to ~/from-${++this.#others} --no-share ${flags}`,
          there.home,
        );
      if (several === 'any') terminal.interrupt();
      await terminal.ends(0);
    }

    #fetch(link: string): void {
      const words = [
        ...prefixOf(namespace),
        'curl',
        '--fail',
        '--silent',
        '--show-error',
        '--location',
        '-k',
        link,
      ];
      const bytes = execFileSync(words[0]!, words.slice(1), { maxBuffer: 2 ** 26, timeout: DEADLINE });
      assert.ok(bytes.length > 0, link);
    }
  }

  for (const page of PAGES) {
    const { blocks } = readPage(page);
    const shown = blocks.filter(({ language }) => ['sh', 'console'].includes(language));
    if (shown.flatMap(linesOf).every(isNotRun)) continue;
    it(page, { timeout: 540_000 }, async () => {
      const reader = new Reader(page);
      await reader.read(shown);
      assert.ok(reader.ran > 0);
    });
  }

  it('what is not run is in a page, and is little', () => {
    const lines = PAGES.flatMap((page) => readPage(page).blocks)
      .filter(({ language }) => ['sh', 'console'].includes(language))
      .flatMap(linesOf);
    for (const begun of Object.keys(NOT_RUN))
      assert.ok(
        lines.some((line) => line.startsWith(begun)),
        begun,
      );
    const left = lines.filter(isNotRun);
    assert.ok(left.length <= 11, left.join('\n'));
    assert.ok(lines.length - left.length > 50, `${lines.length - left.length} lines are run`);
  });
});

async function codeInJson(terminal: { shows(what: RegExp): Promise<string> }): Promise<string> {
  return CODE.exec(await terminal.shows(/"event":"code","code":"[^"]+"/))![0];
}

/** The commands of a block, without prompts, comments and what a page shows of their answers. */
function linesOf({ language, text }: Block): string[] {
  return text
    .replace(/\\\n */g, ' ')
    .split('\n')
    .filter((line) => language === 'sh' || line.startsWith('$ '))
    .map((line) =>
      line
        .replace(/^\$ /, '')
        .replace(/\s+#.*$/, '')
        .trim(),
    )
    .filter((line) => line !== '' && !line.startsWith('#'));
}

function isNotRun(line: string): boolean {
  return Object.keys(NOT_RUN).some((begun) => line.startsWith(begun));
}

/** It may have ended meanwhile. */
function killed(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
