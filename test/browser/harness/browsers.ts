/**
 * Debian's own browsers, unpatched and headless: Chromium by its DevTools protocol, Firefox by WebDriver BiDi, both through
 * puppeteer-core. Each has a profile of its own, since what a private window stores is held in memory, not on the disk.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import puppeteer, { type Browser } from 'puppeteer-core';
import { within } from '../../integration/command.ts';

export type Kind = 'chromium' | 'firefox';

/** Where Debian and others put them; CHROMIUM and FIREFOX in the environment name another. */
const PROGRAMS: Record<Kind, readonly string[]> = {
  chromium: ['chromium', 'chromium-browser', 'google-chrome'],
  firefox: ['firefox-esr', 'firefox'],
};
/** Milliseconds until a browser must have started, and until one that is told to close is killed. */
const LAUNCH_DEADLINE = 60_000;
const CLOSE_DEADLINE = 60_000;
/** For what a page is to do, on a machine where others run too. */
const PAGE_DEADLINE = 120_000;

/** Why this browser cannot be driven here, or undefined when it can. */
export function whyNoBrowser(kind: Kind): string | undefined {
  if (programOf(kind) !== undefined) return undefined;
  return `${PROGRAMS[kind][0]} is missing: apt-get install ${PROGRAMS[kind][0]}`;
}

function programOf(kind: Kind): string | undefined {
  for (const name of [process.env[kind.toUpperCase()], ...PROGRAMS[kind]]) {
    if (!name) continue;
    try {
      return execFileSync('which', [name], { encoding: 'utf8', timeout: 5000 }).trim();
    } catch {
      // The next name, perhaps.
    }
  }
  return undefined;
}

export interface LaunchOptions {
  /** The profile, what is downloaded, and a wrapper go here; the caller removes it. */
  folder: string;
  args?: readonly string[];
  /** Words before the program, such as `ip netns exec NAME`. */
  prefix?: readonly string[];
  /** The pages' own addresses stay hidden behind mDNS names, as for every user. Default: not, so that no packet leaves. */
  mdns?: boolean;
}

/** Where a browser with this folder puts downloads. */
export const downloadsOf = (folder: string): string => join(folder, 'downloads');

export async function launch(kind: Kind, options: LaunchOptions): Promise<Browser> {
  const program = programOf(kind);
  if (program === undefined) throw new Error(whyNoBrowser(kind));
  const { folder, prefix, args = [], mdns = false } = options;
  const downloadPath = downloadsOf(folder);
  mkdirSync(downloadPath, { recursive: true });
  const browser = await puppeteer.launch({
    browser: kind === 'chromium' ? 'chrome' : 'firefox',
    executablePath: prefix ? wrapped(program, prefix, folder) : program,
    userDataDir: join(folder, 'profile'),
    headless: true,
    timeout: LAUNCH_DEADLINE,
    protocolTimeout: PAGE_DEADLINE,
    // File descriptors reach into a namespace; a port of it could not be reached from here.
    pipe: kind === 'chromium',
    // Phones are narrower; what a page looks like on one is asked for where it matters.
    defaultViewport: kind === 'chromium' ? { width: 1000, height: 800 } : null,
    downloadBehavior: { policy: 'allow', downloadPath },
    args: kind === 'chromium' ? [...chromiumFlags(mdns), ...args] : [...args],
    extraPrefsFirefox: {
      'browser.download.folderList': 2,
      'browser.download.dir': downloadPath,
      'browser.download.useDownloadDir': true,
      'browser.download.always_ask_before_handling_new_types': false,
      'media.peerconnection.ice.obfuscate_host_addresses': mdns,
    },
  });
  const newPage = browser.newPage.bind(browser);
  browser.newPage = async (...how) => {
    const page = await newPage(...how);
    page.setDefaultTimeout(PAGE_DEADLINE);
    return page;
  };
  return browser;
}

function chromiumFlags(mdns: boolean): string[] {
  return [
    // Root has no user namespace to put the sandbox in; the pages are this project's own.
    ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    // /dev/shm is small in containers.
    '--disable-dev-shm-usage',
    ...(mdns ? [] : ['--disable-features=WebRtcHideLocalIpsWithMdns']),
  ];
}

function wrapped(program: string, prefix: readonly string[], folder: string): string {
  const script = join(folder, 'browser.sh');
  writeFileSync(script, `#!/bin/sh\nexec ${prefix.join(' ')} ${program} "$@"\n`);
  chmodSync(script, 0o755);
  return script;
}

/** Closes it, or ends its process where it does not. */
export async function closeBrowser(browser: Browser): Promise<void> {
  const child = browser.process();
  const closed = await within(
    CLOSE_DEADLINE,
    browser.close().then(
      () => true,
      () => false,
    ),
  );
  if (!closed && child?.exitCode === null) child.kill('SIGKILL');
}
