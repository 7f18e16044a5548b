/** `beeline serve`: runs until it is told to stop, or until what was allowed is used up. */
import { once } from 'node:events';
import type { DownloadEvent } from '../../http/serving/records.ts';
import type { RunningServe, ServeEnd } from '../../node/serve.ts';
import { EXIT_DONE } from '../exit.ts';
import { count, formatBytes, groups, shellWord } from '../format.ts';
import type { Host } from '../host.ts';
import { listed } from '../instructions.ts';
import { Interrupt } from '../interrupt.ts';
import { printer } from '../json.ts';
import { type Log, openLog } from '../log.ts';
import { type ServeArgs, serveArgs } from '../options.ts';
import { Prompt } from '../prompt.ts';
import { shownPath } from '../report.ts';
import { Screen } from '../screen.ts';
import { webAccess } from '../web-access.ts';

const MOST_LINKS = 4;

/** Resolves to the exit code: 0 also after a signal, for that is how it ends. @throws BeelineError */
export async function serveCommand(argv: readonly string[], host: Host): Promise<number> {
  const args = serveArgs(argv, host.env);
  const { face } = args;
  const screen = new Screen(host.stderr, host.env);
  const interrupt = new Interrupt();
  const print = printer(host.stdout, true);
  let log: Log | undefined;
  let serving: RunningServe | undefined;
  let metrics: { url: string; close(): void } | undefined;
  try {
    log = await openLog(face, (lines) => screen.raw(lines));
    const access = await webAccess(
      'serve',
      args.access,
      new Prompt({ input: host.stdin, output: host.stderr, interrupt }),
    );
    if (typeof access === 'object') log?.hide(access.password);
    const say = (lines: readonly string[]) => {
      if (!face.quiet && !face.json) screen.line(lines);
    };
    const serve = await host.serve();
    serving = await serve(args.paths, {
      ...args.options,
      ...(access !== 'link' && { access }),
      log: log?.logger,
      warn: (sentence) => say([sentence]),
      onDownload: (event) => {
        if (face.json) print(event);
        else say(downloadLines(event));
      },
    });
    const running = serving;
    if (running.secret !== undefined) log?.hide(running.secret);
    if (args.metricsPort !== undefined) {
      const { serveCommandMetrics, servingMetrics } = await import('../metrics.ts');
      metrics = await serveCommandMetrics(args.metricsPort, () => servingMetrics(running.counts()));
    }
    const { port, urls, certificate } = running;
    if (face.json)
      print({
        event: 'listening',
        port,
        links: urls,
        ...certificate,
        ...(metrics && { metrics: metrics.url }),
      });
    else if (args.qr && urls[0] !== undefined) screen.raw(await qrCode(urls[0]));
    say(announcement(args, running));
    await Promise.race([running.done, interrupt.signal.aborted || once(interrupt.signal, 'abort')]);
    // The interrupt's own deadline ends the process should a connection refuse to close.
    await running.close();
    const end = await running.done;
    if (face.json) print({ event: 'done', ...end });
    else say(lastLines(end));
    return EXIT_DONE;
  } finally {
    await serving?.close();
    metrics?.close();
    log?.close();
    interrupt.close();
  }
}

async function qrCode(text: string): Promise<string> {
  const { renderUnicodeCompact } = await import('uqr');
  return `${renderUnicodeCompact(text, { border: 2 })}\n`;
}

function announcement({ paths, access, options }: ServeArgs, { urls, certificate }: RunningServe): string[] {
  const shown = urls.slice(0, MOST_LINKS);
  return [
    `Serving ${listed(paths.map(shownPath))}`,
    '',
    ...shown.map((url) => `    ${url}`),
    '',
    'In a terminal there:',
    '',
    ...shown.slice(0, 1).map((url) => `    ${curlLine(url, certificate?.pin, access)}`),
    '',
    WHO[typeof access === 'string' ? access : 'password'],
    ...(options.tls === undefined
      ? ['It is plain HTTP: others on the network can read along. --tls encrypts it.']
      : []),
    ...(certificate
      ? [`The certificate is signed by nobody, so browsers warn. Compare: ${groups(certificate.fingerprint)}`]
      : []),
    'Ctrl-C stops.',
  ];
}

const WHO = {
  link: 'Whoever has the link can read it.',
  public: 'Everybody who can reach this machine can read it.',
  password: 'Whoever knows the password can read it, with any user name.',
} as const;

/** A file under its own name, or a folder unpacked here. */
function curlLine(url: string, pin: string | undefined, access: ServeArgs['access']): string {
  const flags = [
    ...(pin === undefined ? [] : ['-k', '--pinnedpubkey', shellWord(`sha256//${pin}`)]),
    // Without a password behind the name, curl asks for it.
    ...(typeof access === 'string' ? [] : ['-u', 'me']),
  ];
  const line = (how: string, what: string) => ['curl', how, ...flags, shellWord(what)].join(' ');
  return url.endsWith('/') ? `${line('-f', `${url}?tar`)} | tar x` : line('-fOJ', url);
}

function downloadLines({ status, path, address, bytes, size, whole }: DownloadEvent): string[] {
  const name = decodeURIComponent(path.slice(1)) || 'all';
  const what = size === null ? `${name} as an archive` : name;
  if (whole) return [`${address} has ${what} (${formatBytes(size ?? bytes)})`];
  return status === 'failed' ? [`${address} broke off at ${what}, after ${formatBytes(bytes)}`] : [];
}

function lastLines({ why, downloads, bytes }: ServeEnd): string[] {
  const used = why === 'used-up' ? 'All that was allowed is used up. ' : '';
  return [`${used}Served ${count(downloads, 'download')}, ${formatBytes(bytes)}.`];
}
