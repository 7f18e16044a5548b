/** What the other side's device is called, as far as it says so itself: for people, and never a proof. Pure. */
import { escapeName } from '../../src/browser/light.ts';
import { say } from '../words/index.ts';
import type { TransferShown } from './running.ts';

export type DeviceKind = 'computer' | 'phone' | 'terminal' | 'people' | 'unknown';

/** Characters that are shown. */
const MOST = 40;
const AGENT = /^beeline\/[\w.-]+(?: \((.+)\))?$/i;
const NAMED = /^(.+) on (.+)$/;

/** Undefined where nothing is known. */
export function deviceName(peer: TransferShown['peer']): string | undefined {
  if (peer?.name !== undefined) return escapeName(peer.name.slice(0, MOST));
  const found = AGENT.exec(peer?.agent ?? '');
  if (!found) return undefined;
  const told = found[1];
  if (told === undefined) return say('device.program');
  if (told === 'browser') return say('device.browser');
  const [, browser, system] = NAMED.exec(told.slice(0, MOST)) ?? [];
  if (browser === undefined || system === undefined) return escapeName(told.slice(0, MOST));
  return say('device.on', { browser: escapeName(browser), system: escapeName(system) });
}

export function deviceKind(peer: TransferShown['peer']): DeviceKind {
  const found = AGENT.exec(peer?.agent ?? '');
  if (!found) return peer ? 'computer' : 'unknown';
  if (found[1] === undefined) return 'terminal';
  return /\b(?:Android|iPhone|iPad)\b/.test(found[1]) ? 'phone' : 'computer';
}
