/** Where a server may send its clients: to places as near as it is itself, and into no network that it is not in. Pure. */
import { behindNat64, type Scope, scopeOf } from './addresses.ts';

/** No host has one of these, or another link has another host there. */
const NOWHERE: ReadonlySet<Scope> = new Set(['none', 'many', 'link-local']);

/** @param home addresses of who names the address; what is no address counts for nothing */
export function mayGoTo(address: string, home: readonly string[]): boolean {
  const text = behindNat64(address);
  if (text === undefined) return false;
  const near = home.flatMap((each) => behindNat64(each) ?? []);
  if (near.includes(text)) return true;
  const scope = scopeOf(text);
  return scope === 'global' || (!NOWHERE.has(scope) && near.some((each) => scopeOf(each) === scope));
}
