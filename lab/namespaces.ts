/**
 * Two network namespaces joined by a veth pair: two machines on one wire, as far as the kernel is concerned.
 * Needs root and iproute2. Nothing but the wire leads anywhere: no default route, no other interface.
 */
import { ip, ipBatch, makeNamespace, prefixOf, removeNamespace, uniqueName } from './ip.ts';

export interface Host {
  readonly namespace: string;
  readonly address: string;
  readonly address6: string;
  /** Words that run a command on this host. */
  readonly prefix: readonly string[];
}

export interface Wire {
  readonly left: Host;
  readonly right: Host;
  /** Removes both namespaces, and with them the wire. Safe to call twice. */
  remove(): void;
}

/** Why namespaces cannot be made here, or undefined when they can. */
export function whyNoNamespaces(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces need Linux';
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  const probe = uniqueName('probe');
  try {
    makeNamespace(probe);
    ip('-n', probe, 'link', 'add', 'probe0', 'type', 'veth', 'peer', 'name', 'probe1');
    ip('netns', 'exec', probe, 'true');
  } catch (error) {
    return `no network namespaces or veth pairs here: ${error instanceof Error ? error.message : error}`;
  } finally {
    removeNamespace(probe);
  }
  return undefined;
}

/** Makes two hosts on one wire, 10.77.0.1 and 10.77.0.2. Throws, with nothing left behind, when that fails. */
export function makeWire(): Wire {
  const left = host('left', 1);
  const right = host('right', 2);
  const remove = (): void => {
    for (const { namespace } of [left, right]) removeNamespace(namespace);
  };
  try {
    for (const { namespace } of [left, right]) makeNamespace(namespace);
    ip(
      ...['-n', left.namespace, 'link', 'add', 'wire', 'type', 'veth'],
      ...['peer', 'name', 'wire', 'netns', right.namespace],
    );
    for (const { namespace, address, address6 } of [left, right]) {
      ipBatch(namespace, [
        'link set wire up',
        `addr add ${address}/24 dev wire`,
        `addr add ${address6}/64 dev wire nodad`,
      ]);
    }
  } catch (error) {
    remove();
    throw error;
  }
  return { left, right, remove };
}

function host(side: string, number: number): Host {
  const namespace = uniqueName(side);
  return {
    namespace,
    address: `10.77.0.${number}`,
    address6: `fd77::${number}`,
    prefix: prefixOf(namespace),
  };
}
