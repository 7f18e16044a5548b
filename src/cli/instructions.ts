/** What the sender tells its person: the command for the other machine, and how else it can be written. */
import { localHosts } from '../node/addresses.ts';
import type { CommonOptions } from '../node/api.ts';
import { RENDEZVOUS_PATH } from '../wire/rendezvous.ts';
import { shellWord } from './format.ts';

const MOST_ADDRESSES = 3;

/** Addresses that other machines may reach this one by; link-local ones need a zone, so they are no use in a command. */
export function ownAddresses(): string[] {
  return localHosts()
    .filter((host) => !/^(127\.|::1$|169\.254\.)/.test(host))
    .sort((a, b) => Number(a.includes(':')) - Number(b.includes(':')))
    .slice(0, MOST_ADDRESSES)
    .map((host) => (host.includes(':') ? `[${host}]` : host));
}

/** Where the sender can be reached directly, as far as its options say: only a chosen port is known beforehand. */
function meetingPoints(options: CommonOptions, addresses: () => string[]): string[] {
  const [, host, port] = /^(.*):(\d+)$/.exec(options.at ?? '') ?? [];
  const known = Number(port) || options.port || 0;
  if (options.server !== undefined || known === 0) return [];
  const anywhere = host === undefined || ['0.0.0.0', '[::]', '*'].includes(host);
  return (anywhere ? addresses() : [host]).map((address) => `${address}:${known}`);
}

/**
 * Lines for the person. @param how the code, or the flag that stands for it, as a shell takes it
 * @param code the code itself @param several it is for more than one receiver
 * @param listens the other side is a device that may take it without anybody there
 */
export function instructions(
  how: string,
  options: CommonOptions,
  { code, several = false, listens = false }: { code?: string; several?: boolean; listens?: boolean } = {},
  addresses: () => string[] = ownAddresses,
): string[] {
  const command = `    beeline receive ${how}`;
  const run = several ? 'Each receiver runs' : 'On the other machine, run';
  const there = listens ? '`beeline listen` there takes it by itself. Without that, run there' : run;
  if (options.server !== undefined) {
    const lines = [`${there}:`, '', `${command} --server ${shellWord(options.server)}`, ''];
    return code === undefined ? lines : [...lines, ...orOpen([pageLink(options.server, code)])];
  }
  const direct = meetingPoints(options, addresses).map((point) => `${command} --at ${shellWord(point)}`);
  if (options.lan === false && direct.length > 0)
    return [`${there}${direct.length > 1 ? ' one of' : ''}:`, '', ...direct, ''];
  const { at, dht } = options;
  const nodes = at === undefined && typeof dht === 'object' ? dht.bootstrap : [];
  const otherDht = nodes.map((node) => ` --dht-bootstrap ${shellWord(node)}`).join('');
  const main = [`${there}:`, '', `${command}${otherDht}`, ''];
  return direct.length === 0
    ? main
    : [...main, 'or, if it is not on the same local network:', '', ...direct, ''];
}

/** Lines about the page that this process serves. */
export function webLines(links: readonly string[]): string[] {
  return [
    ...orOpen(links.slice(0, MOST_ADDRESSES)),
    'No authority has signed the certificate of that page, so the browser warns you first. Continue to the page.',
    '',
  ];
}

/** Lines about the link to the files themselves. */
export function httpLines(links: readonly string[]): string[] {
  const shown = links.slice(0, MOST_ADDRESSES);
  // A folder is a page there.
  const folder = shown.find((link) => link.endsWith('/'));
  return [
    folder === undefined
      ? 'or download it there with a browser, curl -OJ or wget, which need no code:'
      : 'or download it there with a browser, which needs no code:',
    '',
    ...shown.map((link) => `    ${link}`),
    '',
    ...(folder === undefined
      ? []
      : [`In a terminal there:  curl -f ${shellWord(`${folder}?tar`)} | tar x`, '']),
    'That is plain HTTP: others on the network can read along.',
    '',
  ];
}

function orOpen(links: readonly string[]): string[] {
  return ['or open this in a browser there:', '', ...links.map((link) => `    ${link}`), ''];
}

/** The link to the server's page. The code is in its fragment, which browsers send to nobody. */
export function pageLink(server: string, code: string): string {
  const url = new URL(server);
  url.protocol = url.protocol.replace(/^ws/, 'http');
  // Somebody who gives the URL of the rendezvous means the server, as elsewhere.
  if (url.pathname.endsWith(RENDEZVOUS_PATH))
    url.pathname = url.pathname.slice(0, 1 - RENDEZVOUS_PATH.length);
  url.hash = code;
  return url.href;
}

/** `photo.jpg, docs and 3 more`. */
export function listed(names: readonly string[], most = 3): string {
  const shown = names.slice(0, most).join(', ');
  return names.length > most ? `${shown} and ${names.length - most} more` : shown;
}
