// Tries what Beeline listens with by the tools that others would use: testssl.sh, nmap's scripts, wapiti, and nikto where it is. It starts
// each listener itself, on loopback, with and without TLS. A finding that docs/security-testing.md does not explain makes it fail.
//
//   npm run security                   all of them: some minutes
//   npm run security -- --only nmap    one tool (testssl, nmap, wapiti, nikto)
//   npm run security -- --all          print what is explained too
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const COMMAND = resolve('dist/cli/main.js');
const EXPLAINED = 'docs/security-testing.md';
/** Seconds that one run of a tool may take. */
const MOST_S = { testssl: 600, nmap: 400, wapiti: 200, nikto: 200 };
/** Of wapiti: those that ask nobody else. Not `ssrf`, `xxe` (a server of its makers), `nikto`, `wapp` (lists from the internet). */
const WAPITI_MODULES =
  'backup,blindsql,cookieflags,crlf,csp,csrf,exec,file,htaccess,http_headers,methods,permanentxss,redirect,shellshock,sql,xss';
/** Of nmap: neither guesses of passwords, nor floods, nor questions to others. */
const NMAP_NOT = ['dos', 'external', 'brute', 'exploit', 'fuzzer'];
const NMAP_LIST = '/usr/share/nmap/scripts/script.db';

const args = process.argv.slice(2);
const only = args.includes('--only') ? args[args.indexOf('--only') + 1] : undefined;
const folder = mkdtempSync(join(tmpdir(), 'beeline-security-'));
const children = [];

const freePort = () =>
  new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });

/** Starts `beeline` and resolves when it listens. */
async function start(flags) {
  const env = { ...process.env, XDG_CONFIG_HOME: folder, BEELINE_STATE_DIR: folder };
  const child = spawn(process.execPath, [COMMAND, ...flags, '--json'], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let said = '';
  return new Promise((done, fail) => {
    const look = (part) => {
      said += part;
      if (/"event":"(listening|uploads)"/.test(said)) done();
    };
    child.stdout.on('data', look);
    child.stderr.on('data', look);
    child.once('exit', (code) => fail(new Error(`beeline ${flags.join(' ')} ended with ${code}: ${said}`)));
  });
}

async function listeners() {
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const made = spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30'],
    ...[
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=DNS:localhost,IP:127.0.0.1',
      '-out',
      cert,
      '-keyout',
      key,
    ],
  ]);
  if (made.status !== 0) throw new Error(`openssl made no certificate: ${made.stderr}`);
  const shared = join(folder, 'shared');
  mkdirSync(join(shared, 'sub'), { recursive: true });
  mkdirSync(join(folder, 'inbox'));
  writeFileSync(join(shared, 'notes.txt'), 'hello\n');
  writeFileSync(join(shared, 'sub', 'page.html'), '<script>alert(1)</script>');
  const tls = ['--tls-cert', cert, '--tls-key', key];
  const at = (port) => ['--host', '127.0.0.1', '--port', String(port)];
  const wanted = [
    { name: 'server', tls: false, flags: (port) => ['server', ...at(port), '--no-stun', '--status'] },
    { name: 'server-tls', tls: true, flags: (port) => ['server', ...at(port), '--no-stun', ...tls] },
    { name: 'serve', tls: false, flags: (port) => ['serve', shared, ...at(port), '--public'] },
    { name: 'serve-tls', tls: true, flags: (port) => ['serve', shared, ...at(port), '--public', ...tls] },
    {
      name: 'uploads',
      tls: false,
      flags: (port) => [
        'listen',
        '--http',
        '--to',
        join(folder, 'inbox'),
        ...at(port),
        '--public',
        '--no-lan',
      ],
    },
  ];
  const there = [];
  for (const { name, tls: secure, flags } of wanted) {
    const port = await freePort();
    await start(flags(port));
    there.push({ name, secure, port, url: `${secure ? 'https' : 'http'}://127.0.0.1:${port}/` });
  }
  return there;
}

/** Runs a tool, without blocking, within its time. */
function run(tool, program, flags) {
  return new Promise((done) => {
    const child = spawn('timeout', ['--kill-after=5', String(MOST_S[tool]), program, ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (part) => {
        if (text.length < 1e6) text += part;
      });
    child.once('exit', (code) => done({ code, text }));
    child.once('error', (error) => done({ code: -1, text: String(error) }));
  });
}

const has = (program) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
const ENTITIES = { quot: '"', apos: "'", lt: '<', gt: '>', amp: '&' };
const unescaped = (xml) =>
  xml.replace(/&(?:#x([0-9a-f]+)|(\w+));/g, (_, code, name) =>
    code === undefined ? ENTITIES[name] : String.fromCodePoint(Number.parseInt(code, 16)),
  );
const short = (text) => text.replace(/\s+/g, ' ').trim().slice(0, 160);

/** `+`: also where nmap does not know what it talks to, for it takes Beeline's HTTP for nothing that it has seen. */
function nmapScripts() {
  const all = readFileSync(NMAP_LIST, 'utf8').matchAll(
    /filename = "((http|ssl|tls)-[\w-]+)\.nse", categories = \{(.*?)\}/g,
  );
  return [...all]
    .filter(([, , , categories]) => !NMAP_NOT.some((category) => categories.includes(`"${category}"`)))
    .map(([, name, kind]) => (kind === 'http' ? `+${name}` : name))
    .join(',');
}

/** Each gives findings: what identifies it, and what the tool says. */
const TOOLS = {
  testssl: {
    program: 'testssl',
    fits: ({ secure }) => secure,
    async look({ name, port }) {
      const out = join(folder, `testssl-${name}.json`);
      const flags = ['--quiet', '--color', '0', '--warnings', 'off', '--nodns', 'min', '--jsonfile', out];
      const { code, text } = await run('testssl', 'testssl', [...flags, `127.0.0.1:${port}`]);
      if (code === 124) return [{ id: 'timeout', says: short(text) }];
      return JSON.parse(readFileSync(out, 'utf8'))
        .filter(({ severity }) => !['OK', 'INFO', 'DEBUG'].includes(severity))
        .map(({ id, severity, finding }) => ({ id, says: `${severity}: ${short(finding)}` }));
    },
  },
  nmap: {
    program: 'nmap',
    fits: () => true,
    async look({ name, port }) {
      const out = join(folder, `nmap-${name}.xml`);
      const flags = ['-Pn', '-n', '-p', String(port), '-sV', '--version-light', '--script', nmapScripts()];
      const { code, text } = await run('nmap', 'nmap', [
        ...flags,
        '--script-timeout',
        '60s',
        '-oX',
        out,
        '127.0.0.1',
      ]);
      if (code !== 0) return [{ id: 'failed', says: short(text) }];
      const xml = readFileSync(out, 'utf8');
      return [...xml.matchAll(/<script id="([^"]+)" output="([^"]*)"/g)]
        .map(([, id, output]) => ({ id, says: short(unescaped(output)) }))
        .filter(
          ({ says }) => !/^(Couldn't (find|determine)|ERROR: Script execution failed|false$)/.test(says),
        );
    },
  },
  wapiti: {
    program: 'wapiti',
    fits: () => true,
    async look({ name, url }) {
      const out = join(folder, `wapiti-${name}.json`);
      const flags = [
        '-u',
        url,
        '-m',
        WAPITI_MODULES,
        '-f',
        'json',
        '-o',
        out,
        '--flush-session',
        '--no-bugreport',
      ];
      const bounds = [
        '--max-scan-time',
        '90',
        '--max-links-per-page',
        '50',
        '-d',
        '3',
        '-t',
        '10',
        '--verify-ssl',
        '0',
      ];
      const { code, text } = await run('wapiti', 'wapiti', [...flags, ...bounds, '--store-session', folder]);
      if (code !== 0) return [{ id: 'failed', says: short(text) }];
      const { vulnerabilities, anomalies } = JSON.parse(readFileSync(out, 'utf8'));
      return [...Object.entries(vulnerabilities), ...Object.entries(anomalies)].flatMap(([kind, found]) =>
        found.map(({ info, path }) => ({ id: kind.replaceAll(' ', '-'), says: short(`${path}: ${info}`) })),
      );
    },
  },
  nikto: {
    program: 'nikto',
    fits: () => true,
    async look({ name, url }) {
      const out = join(folder, `nikto-${name}.json`);
      const { text } = await run('nikto', 'nikto', [
        '-h',
        url,
        '-Format',
        'json',
        '-o',
        out,
        '-maxtime',
        '120s',
        '-nointeractive',
      ]);
      try {
        return JSON.parse(readFileSync(out, 'utf8')).vulnerabilities.map(({ id, msg }) => ({
          id,
          says: short(msg),
        }));
      } catch {
        return [{ id: 'failed', says: short(text) }];
      }
    },
  },
};

/** The rows of the document whose first cell is `tool target id`; `*` stands for anything. */
function explanations() {
  const rows = readFileSync(EXPLAINED, 'utf8').matchAll(/^\| `(\w+) ([\w*-]+) ([^`]+)` \| (.+) \|$/gm);
  return [...rows].map(([, tool, target, id]) => {
    const pattern = (text) =>
      text
        .split('*')
        .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
        .join('.*');
    return {
      key: `${tool} ${target} ${id}`,
      fits: new RegExp(`^${tool} ${pattern(target)} ${pattern(id)}$`),
      used: false,
    };
  });
}

const known = explanations();
let fresh = 0;
let explained = 0;
try {
  const targets = await listeners();
  for (const [tool, { program, fits, look }] of Object.entries(TOOLS)) {
    if (only !== undefined && only !== tool) continue;
    if (!has(program)) {
      console.log(`${tool}: not installed here, left out`);
      continue;
    }
    for (const target of targets.filter(fits)) {
      const began = performance.now();
      const findings = await look(target);
      const seconds = ((performance.now() - began) / 1000).toFixed(0);
      const alive = await fetch(targets[0].url).then(({ ok }) => ok);
      console.log(
        `${tool} ${target.name}: ${findings.length} findings in ${seconds} s${alive ? '' : '; THE SERVER IS GONE'}`,
      );
      if (!alive) fresh++;
      for (const { id, says } of findings) {
        const key = `${tool} ${target.name} ${id}`;
        const why = known.find((each) => each.fits.test(key));
        if (why) {
          why.used = true;
          explained++;
          if (args.includes('--all')) console.log(`  explained: ${key}: ${says}`);
        } else {
          fresh++;
          console.log(`  NEW: ${key}: ${says}`);
        }
      }
    }
  }
} finally {
  for (const child of children) {
    child.removeAllListeners('exit');
    child.kill('SIGKILL');
  }
  rmSync(folder, { recursive: true, force: true });
}
if (only === undefined)
  for (const { key, used } of known)
    if (!used && has(TOOLS[key.split(' ')[0]].program)) console.log(`not found any more: ${key}`);
console.log(`${fresh} new findings, ${explained} explained (${EXPLAINED})`);
process.exit(fresh === 0 ? 0 : 1);
