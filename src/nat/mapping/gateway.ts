/** The default IPv4 router, as the operating system's routing table has it. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { join } from 'node:path';
import { sourceAddress } from '../ice/address.ts';
import type { Gateway } from './mapper.ts';

/** What a system command may take. */
const COMMAND_DEADLINE_MS = 2_000;
const RTF_GATEWAY = 2;

/** Never rejects; undefined without a default route (or on systems whose table this does not read). */
export async function findGateway(): Promise<Gateway | undefined> {
  const gateway = await defaultRoute().catch(() => undefined);
  if (!gateway || !isIPv4(gateway) || gateway === '0.0.0.0') return undefined;
  const local = await sourceAddress({ host: gateway, port: 9 });
  return local ? { gateway, local } : undefined;
}

async function defaultRoute(): Promise<string | undefined> {
  if (process.platform === 'linux') return linuxRoute(await readFile('/proc/net/route', 'utf8'));
  if (process.platform === 'darwin') return macRoute(await run('/usr/sbin/netstat', ['-rn', '-f', 'inet']));
  if (process.platform !== 'win32') return undefined;
  // By its full name: a program of that name in the current folder would be found first.
  const command = join(process.env.SystemRoot ?? 'C:\\Windows', 'System32', 'route.exe');
  return windowsRoute(await run(command, ['print', '-4', '0.0.0.0']));
}

/** Lines of: interface, destination, gateway, flags, two counters, metric, mask; addresses in hex, as in memory. */
export function linuxRoute(table: string): string | undefined {
  let best: { metric: number; gateway: string } | undefined;
  for (const line of table.split('\n').slice(1)) {
    const [, destination, gateway = '', flags = '', , , metric, mask] = line.trim().split(/\s+/);
    if (destination !== '00000000' || mask !== '00000000' || !(Number.parseInt(flags, 16) & RTF_GATEWAY))
      continue;
    if (best && best.metric <= Number(metric)) continue;
    // The kernel prints the 32 bits of network order as a number of this machine; all that Node runs on are little-endian but s390x.
    const bytes = Buffer.from(gateway, 'hex');
    best = { metric: Number(metric), gateway: (LITTLE_ENDIAN ? bytes.reverse() : bytes).join('.') };
  }
  return best?.gateway;
}

const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

export function macRoute(table: string): string | undefined {
  return /^default\s+(\d+\.\d+\.\d+\.\d+)\s/m.exec(table)?.[1];
}

/** Columns: destination, mask, gateway, interface, metric; the titles are translated, the numbers are not. */
export function windowsRoute(table: string): string | undefined {
  const routes = [
    ...table.matchAll(/^\s*0\.0\.0\.0\s+0\.0\.0\.0\s+(\d+\.\d+\.\d+\.\d+)\s+\S+\s+(\d+)\s*$/gm),
  ];
  return routes.sort((a, b) => Number(a[2]) - Number(b[2]))[0]?.[1];
}

function run(command: string, args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command, args, { timeout: COMMAND_DEADLINE_MS, windowsHide: true }, (error, stdout) =>
      error ? reject(error) : resolve(stdout),
    );
  });
}
