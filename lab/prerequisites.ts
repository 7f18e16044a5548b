/** What the lab needs of the machine, and how to get it. */
import { execFileSync } from 'node:child_process';
import { makeNamespace, nft, removeNamespace, uniqueName } from './ip.ts';
import { whyNoNamespaces } from './namespaces.ts';
import { natRules } from './nat.ts';

/** Programs of Debian that some tests need besides, and their packages. */
const PACKAGES = { turnserver: 'coturn', miniupnpd: 'miniupnpd-nftables' } as const;
export type Program = keyof typeof PACKAGES;

/** Why the lab cannot be made here, or undefined when it can; `programs` are those that the test needs besides. */
export function whyNoLab(...programs: Program[]): string | undefined {
  const reason = whyNoNamespaces() ?? whyNoNft();
  if (reason !== undefined) return reason;
  for (const program of programs) {
    if (!isThere(program)) return `${program} is missing: apt-get install ${PACKAGES[program]}`;
  }
  return undefined;
}

function whyNoNft(): string | undefined {
  if (!isThere('nft')) return 'nft is missing: apt-get install nftables';
  const probe = uniqueName('probe');
  try {
    makeNamespace(probe);
    nft(probe, natRules('symmetric'));
    nft(probe, natRules('full-cone').replace('table inet router', 'table inet other'));
    return undefined;
  } catch (error) {
    return `this kernel has no NAT by nftables: ${error instanceof Error ? error.message : error}`;
  } finally {
    removeNamespace(probe);
  }
}

function isThere(program: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore', timeout: 5000 });
    return true;
  } catch {
    return false;
  }
}
