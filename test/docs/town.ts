/**
 * The place where a page's commands are typed: a network of its own, in which the names of the pages are names, and people there,
 * each with a home folder, who have installed the packed package and sit at terminals.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { chmodSync, cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { gzipSync } from 'node:zlib';
import { ip, ipBatch, makeNamespace, prefixOf, removeNamespace, uniqueName } from '../../lab/ip.ts';
import { shellWord } from '../../src/cli/format.ts';
import { installPacked, name } from '../integration/packed.ts';

/** Milliseconds until a command must show what it shows, or end: a machine where others run too takes its time. */
const DEADLINE = 90_000;
/** The one that the pages name, and the one of their Redis. */
const ADDRESS = '192.168.1.7';
const INNER = '10.0.0.5';
/** All names that lead to it. */
const NAMES = [
  ...['meet.example', 'server.example', 'sender.example', 'proxy.example', 'laptop'],
  ...['example.org', 'mirror.example.net'],
];
/** What somebody types who is asked for a password. */
const PASSWORD = 'a long enough password';

export class Town {
  readonly dir = installPacked();
  readonly certificate = join(this.dir, 'fullchain.pem');
  readonly #namespace = uniqueName('manual');
  readonly #hosts = join('/etc/netns', this.#namespace);
  readonly #running = new Set<Terminal>();

  constructor() {
    mkdirSync(join(this.dir, 'bin'));
    const command = join(this.dir, 'node_modules', name, 'dist/cli/main.js');
    writeFileSync(join(this.dir, 'bin/beeline'), `#!/bin/sh\nexec '${process.execPath}' '${command}' "$@"\n`);
    chmodSync(join(this.dir, 'bin/beeline'), 0o755);
    // Where `npm root -g` leads.
    const globally = join(this.dir, 'global/lib/node_modules', name);
    mkdirSync(join(globally, '..'), { recursive: true });
    symlinkSync(join(this.dir, 'node_modules', name), globally);
    makeNamespace(this.#namespace);
    // Its own hosts, which `ip netns exec` puts in the place of this machine's.
    mkdirSync(this.#hosts, { recursive: true });
    writeFileSync(
      join(this.#hosts, 'hosts'),
      `127.0.0.1 localhost\n${NAMES.map((each) => `${ADDRESS} ${each}\n`).join('')}`,
    );
    writeFileSync(join(this.#hosts, 'resolv.conf'), '');
    ip('-n', this.#namespace, 'link', 'add', 'lan', 'type', 'veth', 'peer', 'name', 'far');
    ipBatch(this.#namespace, [
      'link set lan up',
      'link set far up',
      `addr add ${ADDRESS}/24 dev lan`,
      `addr add ${INNER}/32 dev lo`,
      'route add default dev lan',
    ]);
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
        ...['-subj', '/CN=meet.example', '-addext'],
        `subjectAltName=${NAMES.map((each) => `DNS:${each}`).join(',')}`,
        ...['-keyout', join(this.dir, 'privkey.pem'), '-out', this.certificate],
      ],
      { stdio: 'ignore' },
    );
  }

  person(page: string, who: string): Person {
    return new Person(this, join(this.dir, page.replace(/\W+/g, '-'), who));
  }

  start(line: string, cwd: string, env: NodeJS.ProcessEnv): Terminal {
    const terminal = new Terminal(line, cwd, env, prefixOf(this.#namespace));
    this.#running.add(terminal);
    void terminal.ended.then(() => this.#running.delete(terminal));
    return terminal;
  }

  /** Ends whatever runs there, as a page that failed has left it. */
  async quiet(): Promise<void> {
    if (this.#running.size === 0) return;
    for (const pid of ip('netns', 'pids', this.#namespace).split('\n')) if (pid !== '') killed(Number(pid));
    await Promise.all([...this.#running].map((terminal) => terminal.kill()));
  }

  remove(): void {
    removeNamespace(this.#namespace);
    rmSync(this.#hosts, { recursive: true, force: true });
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

/** One of those who type, with what the pages' commands name. */
export class Person {
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;
  readonly #town: Town;

  constructor(town: Town, home: string) {
    this.#town = town;
    this.home = home;
    mkdirSync(home, { recursive: true });
    this.env = {
      ...{ PATH: `${join(town.dir, 'bin')}:${process.env.PATH}`, HOME: home },
      ...{ TERM: 'xterm', LANG: 'C.UTF-8', SHELL: '/bin/bash' },
      ...{ NODE_EXTRA_CA_CERTS: town.certificate, CURL_CA_BUNDLE: town.certificate },
      ...{ BEELINE_DHT: 'off', npm_config_prefix: join(town.dir, 'global') },
    };
  }

  /** A folder to work in, with files to send and what a server's owner has. */
  folder(called: string): string {
    const at = join(this.home, called);
    for (const folder of ['holiday', 'photos', 'project/old'])
      mkdirSync(join(at, folder), { recursive: true });
    for (const file of ['holiday/a.jpg', 'photos/b.jpg', 'project/c.c', 'project/d.log', 'project/old/e.c'])
      writeFileSync(join(at, file), randomBytes(3000));
    for (const file of ['notes.txt', 'film.mkv', 'report.pdf', 'slides.pdf', 'video.mp4', 'a.txt', 'b.txt'])
      writeFileSync(join(at, file), randomBytes(200_000));
    writeFileSync(join(at, 'disk.img'), gzipSync(randomBytes(200_000)));
    for (const file of ['fullchain.pem', 'privkey.pem']) cpSync(join(this.#town.dir, file), join(at, file));
    return at;
  }

  empty(called: string): string {
    const at = join(this.home, called);
    mkdirSync(at, { recursive: true });
    return at;
  }

  start(line: string, cwd: string, env: NodeJS.ProcessEnv = {}): Terminal {
    return this.#town.start(line, cwd, { ...this.env, ...env });
  }

  /** Runs what ends by itself, well. @returns what it has shown */
  async run(line: string, cwd: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
    const terminal = this.start(line, cwd, env);
    await terminal.ends(0);
    return terminal.text;
  }

  async key(): Promise<string> {
    return /\bbl1\w{20,}/.exec(await this.run('beeline trust', this.home))![0];
  }
}

/** A line in a terminal, at which somebody says yes to what is asked. */
export class Terminal {
  text = '';
  readonly line: string;
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;
  readonly #news = new EventEmitter();
  #status: number | null | undefined;

  constructor(line: string, cwd: string, env: NodeJS.ProcessEnv, prefix: readonly string[]) {
    this.line = line;
    // Where one command of several in a pipe fails, the line has failed.
    const shell = `exec bash -o pipefail -c ${shellWord(line)}`;
    const words = [
      ...prefix,
      ...['script', '--quiet', '--return', '--flush', '--command', shell, '/dev/null'],
    ];
    this.#child = spawn(words[0]!, words.slice(1), { cwd, env, stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdin!.on('error', () => {});
    let asked = 0;
    const answer = (question: RegExp, typed: string) => {
      if (!question.test(this.text) || this.text.length <= asked) return;
      asked = this.text.length;
      this.#child.stdin!.write(`${typed}\r`);
    };
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      // As it is read, without what moves the cursor.
      this.text += stripVTControlCharacters(text);
      answer(/\[y\/N\]\s*$/, 'y');
      answer(/password[^\n]*: ?$/i, PASSWORD);
      this.#news.emit('more');
    });
    this.ended = new Promise((resolve) =>
      this.#child.on('close', (status) => {
        this.#status = status;
        this.#news.emit('more');
        resolve();
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
      if (this.over || signal.aborted) assert.fail(`${this.line} does not show ${what}: ${this.text}`);
      await once(this.#news, 'more', { signal }).catch(() => {});
    }
  }

  async ends(...statuses: number[]): Promise<void> {
    const signal = AbortSignal.timeout(DEADLINE);
    while (!this.over && !signal.aborted) await once(this.#news, 'more', { signal }).catch(() => {});
    if (!this.over) assert.fail(`${this.line} does not end: ${this.text}`);
    if (!statuses.includes(this.#status!))
      assert.fail(`${this.line} ends with ${this.#status}: ${this.text}`);
  }

  /** Ctrl-C, where it has not ended by itself. */
  async interrupt(): Promise<void> {
    if (!this.over) this.#child.stdin!.write('\x03');
    await this.ends(0, 130);
  }

  async kill(): Promise<void> {
    this.#child.stdin!.end();
    this.#child.kill('SIGKILL');
    await this.ended;
  }
}

/** It may have ended meanwhile. */
function killed(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
