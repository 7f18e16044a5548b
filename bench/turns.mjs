/** Contestants in turn, round after round, each with an empty folder and a settled disk. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';

/** Runs each contestant once a round into an empty folder; what it delivered is checked outside its time. */
export async function inTurn(contestants, rounds, to, check) {
  const results = Object.fromEntries(Object.keys(contestants).map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, go] of Object.entries(contestants)) {
      emptyFolder(to);
      results[name].push(await go());
      check(name);
    }
  }
  rmSync(to, { recursive: true, force: true });
  return results;
}

/** Makes `to` anew and writes out what earlier runs left dirty, so that nobody pays for another's pages. */
export function emptyFolder(to) {
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to);
  settleDisk();
}

export function settleDisk() {
  if (existsSync('/bin/sync')) execFileSync('/bin/sync', { timeout: 120_000 });
}
