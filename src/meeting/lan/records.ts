/**
 * DNS-SD records (RFC 6763) of a sender, and reading those of others. The instance is named by the nameplate and the
 * host by random digits, so nothing says whose machine it is. All records of a sender come in one packet; readers rely on that.
 */

import type { Answer, Packet, Question } from 'dns-packet';
import { familyOf, isAddress, needsZone, plainHost, scopeOf } from '../../base/addresses.ts';
import { isNameplate } from '../../wire/rendezvous.ts';
import type { Interface } from './interfaces.ts';

export const SERVICE = '_beeline._tcp.local';
/** Seconds; RFC 6762, 10, for records that name a host. */
const TTL = 120;
/** RFC 6762, 6.7: no more than 10 s for those who do not follow the protocol's caching rules. */
const LEGACY_TTL = 10;
const MOST_ADDRESSES = 32;

export interface LanService {
  nameplate: string;
  /** A random label of this announcement's host name. */
  label: string;
  port: number;
}

type Purpose = 'announce' | 'legacy' | 'goodbye';

export function instanceName(nameplate: string): string {
  return `${nameplate}.${SERVICE}`;
}

export function records(service: LanService, addresses: readonly string[], purpose: Purpose) {
  const ttl = purpose === 'goodbye' ? 0 : purpose === 'legacy' ? LEGACY_TTL : TTL;
  // The cache-flush bit is for multicast only (RFC 6762, 6.7 and 10.2).
  const unique = { ttl, flush: purpose !== 'legacy', class: 'IN' as const };
  const name = instanceName(service.nameplate);
  const target = `${service.label}.local`;
  const answers: Answer[] = [
    { type: 'PTR', name: SERVICE, class: 'IN', ttl, data: name },
    { type: 'SRV', name, ...unique, data: { port: service.port, target } },
    { type: 'TXT', name, ...unique, data: ['v=1'] },
  ];
  const additionals: Answer[] = addresses.map((address) => ({
    type: familyOf(address) === 4 ? 'A' : 'AAAA',
    name: target,
    ...unique,
    data: address,
  }));
  return { answers, additionals };
}

/** A query that says which name a sender is about to take, and by which label it would be known (RFC 6762, 8.2). */
export function probe({ nameplate, label, port }: LanService) {
  const name = instanceName(nameplate);
  const data = { port, target: `${label}.local` };
  const question: Question = { type: 'ANY' as Question['type'], name };
  const authorities: Answer[] = [{ type: 'SRV', name, ttl: TTL, class: 'IN', data }];
  return { questions: [question], authorities };
}

/** The labels of those who probe for a nameplate in this packet. */
export function probers(packet: Packet, nameplate: string): string[] {
  if (packet.type !== 'query') return [];
  return (packet.authorities ?? []).flatMap((answer) => {
    if (answer.type !== 'SRV' || nameplateOf(answer.name) !== nameplate) return [];
    return /^([a-z0-9-]{1,63})\.local$/.exec(answer.data.target.toLowerCase())?.[1] ?? [];
  });
}

/** True if a question asks for anything that `records` would answer. */
export function asksFor(question: Question, { nameplate, label }: LanService): boolean {
  const name = question.name.toLowerCase();
  const type: string = question.type;
  if (name === SERVICE) return type === 'PTR' || type === 'ANY';
  if (name === instanceName(nameplate)) return type === 'SRV' || type === 'TXT' || type === 'ANY';
  return name === `${label}.local` && (type === 'A' || type === 'AAAA' || type === 'ANY');
}

/** RFC 6762, 5.4: the top bit of a question's class asks for a unicast response; dns-packet shows it like this. */
export function wantsUnicast(question: Question): boolean {
  return (question.class as string | undefined) === 'UNKNOWN_32769';
}

export interface Announcement {
  nameplate: string;
  /** Tells two senders under one nameplate apart: host label and port. */
  instance: string;
  port: number;
  /** Fit for connecting: link-local ones carry their zone. The one that the packet came from is first. */
  addresses: string[];
  /** The sender says goodbye. */
  gone: boolean;
}

/** Reads what a packet announces, from whoever sent it. Never throws; what does not make sense is left out. */
export function announcements(packet: Packet, link: Interface, source: string): Announcement[] {
  const answers = [...(packet.answers ?? []), ...(packet.additionals ?? [])];
  const found: Announcement[] = [];
  for (const answer of answers) {
    if (answer.type !== 'SRV') continue;
    const nameplate = nameplateOf(answer.name);
    const { port, target } = answer.data;
    if (nameplate === undefined || !Number.isInteger(port) || port < 1 || port > 65_535) continue;
    const label = /^([a-z0-9-]{1,63})\.local$/.exec(target.toLowerCase())?.[1];
    if (label === undefined) continue;
    const addresses = addressesOf(answers, target.toLowerCase(), link);
    addresses.sort((a, b) => Number(b === source) - Number(a === source));
    found.push({ nameplate, instance: `${label}:${port}`, port, addresses, gone: answer.ttl === 0 });
  }
  return found;
}

/** Nameplates that a packet says are in use. */
export function announcedNameplates(packet: Packet): string[] {
  return (packet.answers ?? [])
    .filter((answer) => answer.type === 'PTR' && answer.name.toLowerCase() === SERVICE && answer.ttl !== 0)
    .map((answer) => nameplateOf((answer as { data: string }).data))
    .filter((nameplate) => nameplate !== undefined);
}

function nameplateOf(instance: string): string | undefined {
  const name = instance.toLowerCase();
  if (!name.endsWith(`.${SERVICE}`)) return undefined;
  const nameplate = name.slice(0, -SERVICE.length - 1);
  return isNameplate(nameplate) ? nameplate : undefined;
}

function addressesOf(answers: readonly Answer[], target: string, link: Interface): string[] {
  const addresses = new Set<string>();
  for (const answer of answers) {
    if (addresses.size >= MOST_ADDRESSES) break;
    if (answer.type !== 'A' && answer.type !== 'AAAA') continue;
    if (answer.name.toLowerCase() !== target || !isDialable(answer.data, link)) continue;
    addresses.add(needsZone(answer.data) ? `${answer.data}%${link.zone}` : answer.data);
  }
  return [...addresses];
}

/** A stranger must not make us dial this machine, a multicast group or an unspecified address. */
function isDialable(address: string, link: Interface): boolean {
  if (!isAddress(address) || plainHost(address) !== address) return false;
  const scope = scopeOf(address);
  return scope !== 'none' && scope !== 'many' && (scope !== 'loopback' || link.loopback);
}
