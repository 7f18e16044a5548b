/** What can be found out about a machine's network. Times are milliseconds, sizes bytes, addresses `host:port` or plain IP. */

import type { Scope } from '../../base/addresses.ts';
import type { BeelineError, ErrorCode } from '../../base/errors.ts';
import type { Filtering, Mapping } from '../../nat/stun/nat.ts';

export type { Filtering, Mapping, Scope };

export interface LocalAddress {
  interface: string;
  address: string;
  scope: Scope;
}

/** How servers see this machine over one transport and IP family. */
export interface NatFacts {
  /** Round trip. */
  ms: number;
  mapping: Mapping;
  /** The address that the world sees. */
  host: string;
}

/** What each check finds, by its name. */
export interface Facts {
  /** All but loopback. */
  addresses: { addresses: LocalAddress[] };
  /** Links on which a question to the mDNS group came back. */
  lan: { interfaces: string[] };
  /** Lanes over UDP need the native part of `udx-native`. */
  udx: object;
  /** A TCP port that the router mapped for the moment of the check. */
  router: { ms: number; protocol: string; host: string };
  /** A node of the DHT answered after so long, from nothing: the search for its address and the way there and back. */
  dht: { ms: number };
  /** The environment names it for the server's URL. Without the password. */
  proxy: { proxy: string };
  server: {
    /** Round trip of a message; absent if none came back. */
    ms?: number;
    /** Its IP addresses as looked up here; none if that fails, as behind some proxies. */
    hosts: string[];
    relay: boolean;
    stun: number[];
    turn: boolean;
  };
  udp4: NatFacts & { filtering: Filtering };
  tcp4: NatFacts;
  udp6: NatFacts & { filtering: Filtering };
  tcp6: NatFacts;
  /** `rate` is a lower bound, in bytes a second: little is sent. */
  relay: { ms: number; rate: number };
  /** `ms` is what the allocation took. */
  turn: { ms: number; relayed: string };
}

export type CheckName = keyof Facts;

export interface Failure {
  ok: false;
  code: ErrorCode;
  /** A sentence. It may quote a server or a router: escape it before it goes to a terminal. */
  reason: string;
}

export type Check<N extends CheckName = CheckName> = ({ ok: true } & Facts[N]) | Failure;

/**
 * A check that was not made is absent: all about the server if there is none, `dht` if there is one or the person wants none, `proxy` if none is named, what the server does
 * not offer, and an IP family that this machine or the server does not have.
 */
export type Diagnosis = { [N in CheckName]?: Check<N> };

/** In the order in which people are told. */
export const CHECKS: readonly CheckName[] = [
  ...(['addresses', 'lan', 'udx', 'router', 'dht', 'proxy', 'server'] as const),
  ...(['udp4', 'tcp4', 'udp6', 'tcp6', 'relay', 'turn'] as const),
];

/** Since then, to a tenth of a millisecond: more is noise. @param began of `performance.now()` */
export function since(began: number): number {
  return Math.round((performance.now() - began) * 10) / 10;
}

export function failure({ code, message }: BeelineError): Failure {
  return { ok: false, code, reason: message };
}

/** What a check found; undefined if it failed or was not made. */
export function found<N extends CheckName>(diagnosis: Diagnosis, name: N): Facts[N] | undefined {
  const check: Check<N> | undefined = diagnosis[name];
  return check?.ok ? check : undefined;
}

/** True if it was tried and failed. */
export function failed(diagnosis: Diagnosis, name: CheckName): boolean {
  return diagnosis[name]?.ok === false;
}
