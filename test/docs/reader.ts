/**
 * Somebody who reads a page from top to bottom and types each command as it stands there. What a page shows for one side only gets
 * its other side here: who sends what is received, who fetches what is served, the servers and the programs that are named.
 */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { childModule } from '../child.ts';
import { ROOT } from '../integration/packed.ts';
import { journaled } from '../integration/workspace.ts';
import { writeNginxConf } from '../nginx.ts';
import { isLeftOut, type Line, linesOf } from './lines.ts';
import { type Block, readPage } from './pages.ts';
import type { Person, Terminal, Town } from './town.ts';

/** Blocks that are run by the other person, by their page. By default `receive`, and what is "on the laptop", is. */
const THERE: Record<string, number[]> = { 'docs/manual/inbox.md': [0, 2], 'docs/manual/update.md': [1] };
/** Blocks for which servers at https://meet.example and http://meet.example:4848 have to be there before. */
const NEEDS_SERVER = /server https?:\/\/meet\.example|curl https:\/\/meet\.example/;
const CODE = /\b\d{1,7}-[a-z]+(?:-[a-z]+)+\b/;
const SAMPLE = /\b\d+-velvet-canyon\b|\bCODE\b/;
const LINK = /https?:\/\/\S+/;

/** What waits for somebody at the other side, and the code that it shows. */
interface Waiting {
  terminal: Terminal;
  line: string;
  code: string;
}

export class Reader {
  readonly #town: Town;
  readonly #page: string;
  readonly #here: Person;
  readonly #there: Person;
  /** In the place of this machine's /etc, /srv and /usr. */
  readonly #root: string;
  /** Who trusts whom under which name already. */
  readonly #trusting = new Set<string>();
  /** What runs on until the page ends: inboxes. */
  #kept: Terminal[] = [];
  #needsServer = false;
  #others = 0;
  ran = 0;

  constructor(town: Town, page: string) {
    this.#town = town;
    this.#page = page;
    this.#here = town.person(page, 'here');
    this.#there = town.person(page, 'there');
    this.#root = join(this.#here.home, 'root');
    this.#furnish();
  }

  async read(blocks: readonly Block[]): Promise<void> {
    for (const [at, block] of blocks.entries()) {
      const lines = linesOf(block).filter((line) => !isLeftOut(line));
      if (lines.length > 0) await this.#block(lines, at);
    }
    await this.#dismiss();
  }

  /** What stands in /etc of a machine whose server has a certificate, and in the home folder of whoever uses a Mac. */
  #furnish(): void {
    for (const folder of ['etc/letsencrypt/live/meet.example', 'etc/beeline', 'etc/ssl'])
      mkdirSync(join(this.#root, folder), { recursive: true });
    for (const file of ['fullchain.pem', 'privkey.pem'])
      for (const folder of ['etc/letsencrypt/live/meet.example', 'etc/beeline'])
        cpSync(join(this.#town.dir, file), join(this.#root, folder, file));
    cpSync(this.#town.certificate, join(this.#root, 'etc/ssl/meet.example.pem'));
    cpSync(join(this.#town.dir, 'privkey.pem'), join(this.#root, 'etc/ssl/meet.example.key'));
    writeFileSync(join(this.#root, 'etc/beeline/turn-secret'), 'a long random text\n', { mode: 0o600 });
    // The page's own, if it shows one.
    const shown = readPage(this.#page).blocks.find(({ text }) =>
      text.startsWith('# /etc/beeline/server.yaml\n'),
    );
    const sample = shown?.text ?? readFileSync(join(ROOT, 'deploy/server.yaml'), 'utf8');
    writeFileSync(
      join(this.#root, 'etc/beeline/server.yaml'),
      sample.replaceAll('/etc/', `${this.#root}/etc/`),
    );
    mkdirSync(join(this.#here.home, 'Library/LaunchAgents'), { recursive: true });
    mkdirSync(join(this.#here.home, 'share'));
    writeFileSync(join(this.#here.home, 'share/a.txt'), randomBytes(3000));
  }

  /** Ends the inboxes. */
  async #dismiss(): Promise<void> {
    for (const terminal of this.#kept.splice(0)) await terminal.interrupt();
  }

  async #block(lines: readonly Line[], at: number): Promise<void> {
    const mine = this.#here.folder(`work-${at}`);
    const theirs = this.#there.empty(`work-${at}`);
    const text = lines.map((line) => line.text).join('\n');
    if (/\bexamples\//.test(text))
      cpSync(join(ROOT, 'examples'), join(mine, 'examples'), { recursive: true });
    if (/\bcp -r deploy\b/.test(text))
      cpSync(join(ROOT, 'deploy'), join(mine, 'deploy'), { recursive: true });
    if (/\bbeeline outbox\b/.test(text)) await this.#dismiss();
    const around = await this.#around(text, mine);
    const servers: { port: number; terminal: Terminal }[] = [];
    let waiting: Waiting | undefined;
    let folder = mine;
    const names: Record<string, string> = {};
    const env: NodeJS.ProcessEnv = {};
    if (/^beeline resume /m.test(text)) await this.#interrupted(mine);
    for (const written of lines) {
      this.ran++;
      const [, exported, named, value] = /^(export )?([A-Z_]+)=(\S+)$/.exec(written.text) ?? [];
      if (named) {
        (exported ? env : names)[named] = value!;
        continue;
      }
      const typed = written.text.replace(/\$([A-Z]+)\b/g, (whole, name) => names[name] ?? whole);
      const byThem =
        THERE[this.#page]?.includes(at) ||
        /\bbeeline receive (?!http)/.test(typed) ||
        /^on the laptop/.test(written.comment);
      // Whoever has gone into a folder is not everybody.
      const where = written.comment.startsWith('on any machine') ? mine : folder;
      const [who, cwd] = byThem ? [this.#there, theirs] : [this.#here, where];
      await this.#trusted(typed, who);
      const line = await this.#fit(typed, waiting?.code, theirs);
      if (/\bbeeline receive https?:/.test(line)) await who.run(line, who.empty(`fetched-${this.ran}`), env);
      else if (/\bbeeline receive\b/.test(line)) {
        const sender = waiting?.terminal ?? (await this.#sender(line, mine));
        waiting = undefined;
        await who.run(line, cwd, env);
        await sender.ends(0);
      } else if (/^(?:[A-Z_]+=\S+ )?beeline send\b/.test(line) && !/--dry-run|--later/.test(line)) {
        if (waiting) await this.#other(waiting);
        if (byThem) who.folder(`work-${at}`);
        const expected = lines.some((each) => /^beeline receive --(device|psk)/.test(each.text));
        waiting = await this.#send(line, who, cwd, { env, expected, theirs });
      } else if (/^beeline serve /.test(line)) await this.#serve(line, who, cwd);
      else if (/^beeline listen\b/.test(line)) {
        // It may have the same folder and port.
        await this.#dismiss();
        this.#kept.push(await shown(who.start(line, cwd, env), /waiting|inbox|http/i));
      } else if (/^beeline server\b/.test(line) && !/--check/.test(line)) {
        const port = Number(/--port (\d+)/.exec(line)?.[1] ?? (line.includes('--config') ? 443 : 4848));
        for (const other of servers) if (other.port === port) await other.terminal.interrupt();
        servers.push({ port, terminal: await shown(who.start(line, cwd, env), /listening|meet|http/i) });
      } else if (/\bSECRET\b/.test(line)) await this.#upload(line, who, cwd);
      else {
        await who.run(line, cwd, env);
        if (/^beeline config set server/.test(line)) await this.#there.run(line, theirs);
        const [, into] = /&& cd (\w+)$/.exec(line) ?? [];
        if (into) folder = join(folder, into);
      }
    }
    if (waiting) await this.#other(waiting);
    for (const terminal of [...servers.map((server) => server.terminal), ...around])
      await terminal.interrupt();
    for (const { line, text: said } of around)
      if (line.includes('proxies')) assert.match(said, /asked by (?:HTTP|SOCKS) for meet\.example:443/);
  }

  /** The servers and programs that a block's commands reach. */
  async #around(text: string, mine: string): Promise<Terminal[]> {
    const here = this.#here;
    const around: Terminal[] = [];
    const own = /^beeline server/m.test(text);
    // Also where an earlier block has set it.
    this.#needsServer ||= NEEDS_SERVER.test(text.replace(/\$NAME/g, 'meet.example'));
    if (this.#needsServer && !own)
      for (const line of [
        'beeline server --port 443 --tls-cert fullchain.pem --tls-key privkey.pem --no-stun',
        'beeline server',
      ])
        around.push(await shown(here.start(line, mine), /meet here|https?:\/\//i));
    if (own && /--trust-proxy/.test(text) && NEEDS_SERVER.test(text))
      around.push(await this.#nginx(this.#documented()));
    const [, password, host, port] = /redis:\/\/:(\w+)@([\d.]+):(\d+)/.exec(text) ?? [];
    if (password) {
      const line = `redis-server --bind ${host} --port ${port} --requirepass ${password} --save ''`;
      around.push(await shown(here.start(line, here.empty('redis')), /Ready to accept connections/));
    }
    if (/\/\/proxy\.example/.test(text)) {
      const { node, path } = childModule('test/docs/proxies.ts');
      const proxies = here.start(`'${process.execPath}' ${node.join(' ')} ${path}`, mine);
      around.push(await shown(proxies, /the proxies listen/));
    }
    if (/receive https:\/\/example\.org/.test(text)) {
      const files = here.empty('www');
      for (const file of ['disk.img', 'a.iso', 'b.iso']) cpSync(join(mine, 'disk.img'), join(files, file));
      const ssl = `ssl_certificate ${mine}/fullchain.pem; ssl_certificate_key ${mine}/privkey.pem;`;
      around.push(await this.#nginx(`server { listen 443 ssl; root ${files}; ${ssl} }`));
    }
    return around;
  }

  /** The page's own block for nginx. */
  #documented(): string {
    const block = readPage(this.#page).blocks.find(
      ({ language, text }) => language === 'nginx' && text.startsWith('server {'),
    );
    assert.ok(block, `${this.#page} has no server block for nginx`);
    return block.text.replaceAll('/etc/', `${this.#root}/etc/`);
  }

  async #nginx(site: string): Promise<Terminal> {
    const folder = this.#here.empty('nginx');
    const conf = writeNginxConf(folder, site);
    return shown(this.#here.start(`nginx -p ${folder} -c ${conf}`, folder), /start worker process/);
  }

  /** The line with the code that there is, the keys and numbers, and folders that are this test's. */
  async #fit(line: string, code: string | undefined, theirs: string): Promise<string> {
    const here = this.#here;
    let fit = line.replace(/(?<![\w.~])\/(srv|etc|usr)\//g, (_, top) => `${join(this.#root, top)}/`);
    for (const [path] of fit.matchAll(new RegExp(`${this.#root}/[\\w/.-]+`, 'g')))
      mkdirSync(/\.\w+$|_beeline$|-secret$/.test(path) ? join(path, '..') : path, { recursive: true });
    if (line.includes('code.txt')) writeFileSync(join(theirs, 'code.txt'), '7-velvet-canyon\n');
    if (/bl1(\.\.\.|laptop)/.test(fit)) fit = fit.replace(/bl1(\.\.\.|laptop)/, await this.#there.key());
    if (/bl1desk/.test(fit)) fit = fit.replace('bl1desk', await here.key());
    if (/receipts\/\S+\.jsonl/.test(fit)) {
      const receipts = readdirSync(join(this.#there.home, '.local/state/beeline/receipts'));
      fit = fit.replace(/receipts\/\S+\.jsonl/, `receipts/${receipts[0]}`);
    }
    if (/outbox cancel \d/.test(fit)) {
      const [, id] = /^ *(\d+)\b/m.exec(await here.run('beeline outbox', here.home)) ?? [];
      fit = fit.replace(/cancel \d+/, `cancel ${id}`);
    }
    if (/--expect \w+\.\.\./.test(fit)) {
      const served = readFileSync(join(here.home, 'www/disk.img'));
      fit = fit.replace(
        /--expect \w+\.\.\./,
        `--expect ${createHash('sha256').update(served).digest('hex')}`,
      );
    }
    return code ? fit.replace(SAMPLE, code) : fit;
  }

  /** The devices that a line names are trusted and trust the one who types it, and wait where nothing in the page does. */
  async #trusted(line: string, who: Person): Promise<void> {
    const [, added] = /^beeline trust add (\w+)/.exec(line) ?? [];
    if (added) this.#trusting.add(`${who.home} ${added}`);
    const ruled = /^beeline trust set (\w+)/.exec(line)?.[1];
    if (ruled) await this.#trust(who, ruled, this.#town.person(this.#page, ruled));
    if (!/^beeline send\b/.test(line)) return;
    const names = [...line.matchAll(/--device (\w+)/g)].map(([, named]) => named!);
    for (const named of names) {
      const single = who === this.#here ? this.#there : this.#here;
      const other = names.length === 1 ? single : this.#town.person(this.#page, named);
      await this.#trust(who, named, other);
      await this.#trust(other, who === this.#here ? 'desk' : 'laptop', who);
      if (names.length > 1) this.#kept.push(other.start('beeline listen --to ~/Inbox', other.home));
    }
  }

  async #trust(who: Person, named: string, other: Person): Promise<void> {
    if (this.#trusting.has(`${who.home} ${named}`)) return;
    await who.run(`beeline trust add ${named} ${await other.key()}`, who.home);
    this.#trusting.add(`${who.home} ${named}`);
  }

  /** Leaves something unfinished in Downloads, as whoever closes the terminal does. */
  async #interrupted(cwd: string): Promise<void> {
    const here = this.#here;
    // Of several chunks: only whole ones are kept.
    writeFileSync(join(cwd, 'large.img'), randomBytes(12 << 20));
    const downloads = here.empty('Downloads');
    const sender = here.start('beeline send large.img --limit 1M', cwd);
    const receiver = here.start(
      `beeline receive ${await sender.shows(CODE)} --yes --to ~/Downloads`,
      here.home,
    );
    await journaled(downloads);
    for (const terminal of [receiver, sender]) await terminal.kill();
  }

  /** @returns what waits for its receiver, if any does */
  async #send(
    line: string,
    who: Person,
    cwd: string,
    { env, expected, theirs }: { env: NodeJS.ProcessEnv; expected: boolean; theirs: string },
  ): Promise<Waiting | undefined> {
    const terminal = who.start(line, cwd, env);
    if (/--device|--psk-file/.test(line)) {
      if (!expected) {
        await terminal.ends(0);
        return undefined;
      }
      if (/--psk-file/.test(line)) {
        cpSync(join(cwd, 'key'), join(theirs, 'key'));
        await terminal.shows(/receive/);
      }
      return { terminal, line, code: '' };
    }
    const code = /--json/.test(line)
      ? CODE.exec(await terminal.shows(/"event":"code","code":"[^"]+"/))![0]
      : await terminal.shows(CODE);
    return { terminal, line, code };
  }

  /** Whoever sends what a page only receives. */
  async #sender(line: string, cwd: string): Promise<Terminal> {
    const server = /--server \S+/.exec(line)?.[0] ?? '';
    // What was received before stands there already.
    const file = `notes-${this.ran}.txt`;
    cpSync(join(cwd, 'notes.txt'), join(cwd, file));
    return shown(this.#here.start(`beeline send ${file} --code 7-velvet-canyon ${server}`, cwd), /receive/);
  }

  /** Whoever receives what a page only sends. */
  async #other({ terminal, line, code }: Waiting): Promise<void> {
    const there = this.#there;
    if (/--http/.test(line)) {
      await this.#fetch(await terminal.shows(LINK));
      return terminal.ends(0);
    }
    const several = /--receivers (\w+)/.exec(line)?.[1] ?? '1';
    const flags = /--server \S+/.exec(line)?.[0] ?? '';
    for (let at = 0; at < (Number(several) || 1); at++)
      await there.run(
        `beeline receive ${code} --yes --to ~/from-${++this.#others} --no-share ${flags}`,
        there.home,
      );
    if (several === 'any') return terminal.interrupt();
    await terminal.ends(0);
  }

  /** Served to whoever types the line that is shown for it. */
  async #serve(line: string, who: Person, cwd: string): Promise<void> {
    const terminal = who.start(line, cwd);
    const curl = await terminal.shows(/curl -f.*(?=\r?\n)/);
    const into = this.#there.empty(`served-${this.ran}`);
    await this.#there.run(curl, into);
    assert.notDeepEqual(readdirSync(into), [], curl);
    await terminal.interrupt();
  }

  async #fetch(link: string): Promise<void> {
    const into = this.#there.empty(`fetched-${this.ran}`);
    await this.#there.run(`curl --fail --silent --show-error --location -k -o file '${link}'`, into);
    assert.ok(readFileSync(join(into, 'file')).length > 0, link);
  }

  /** An upload to the inbox of this page. curl ends well whatever the answer was, so the file is looked for. */
  async #upload(line: string, who: Person, cwd: string): Promise<void> {
    await this.#dismiss();
    const inbox = await shown(this.#here.start('beeline listen --http --to ~/Inbox', cwd), LINK);
    const [, secret] = /:8080\/([\w-]+)\//.exec(inbox.text)!;
    const into = this.#here.empty('Inbox');
    const before = readdirSync(into).length;
    const said = await who.run(line.replaceAll('SECRET', secret!), cwd);
    assert.ok(readdirSync(into).length > before, `${line}: ${said}`);
    await inbox.interrupt();
  }
}

async function shown(terminal: Terminal, what: RegExp): Promise<Terminal> {
  await terminal.shows(what);
  return terminal;
}
