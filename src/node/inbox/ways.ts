/** The ways on which an inbox hears that a trusted device has something for it: a server that it watches at, and the local network. */

import { realClock } from '../../base/clock.ts';
import { type BeelineError, fault } from '../../base/errors.ts';
import { forgetOldest } from '../../base/oldest.ts';
import { browse } from '../../meeting/lan/find.ts';
import type { Announcement } from '../../meeting/lan/records.ts';
import { keepWatch } from '../../meeting/watch.ts';
import { dialWebSocket } from '../../meeting/websocket.ts';
import { watchNetwork } from '../network/roaming.ts';

/** What is told of senders, by their nameplates. */
export interface WayEvents {
  came(nameplate: string): void;
  gone(nameplate: string): void;
  /** A server's: undefined when it is reached. */
  server?(error: BeelineError | undefined): void;
  /** It does not work, and will not. */
  failed?(error: BeelineError): void;
}

export interface Way {
  /** These are waited for, instead of those so far. */
  change(nameplates: readonly string[]): void;
  /** A receive found nobody under this one. */
  absent(nameplate: string): void;
  close(): void;
}

/** @throws BeelineError USAGE for a malformed URL */
export function atServer(url: string, nameplates: readonly string[], events: WayEvents): Way {
  const watch = keepWatch(dialWebSocket({ url }), nameplates, {
    came: events.came,
    gone: events.gone,
    watching: () => events.server?.(undefined),
    away: (error) => events.server?.(error),
    refused: (error) => {
      const old = error.code === 'PROTOCOL' || error.code === 'REFUSED';
      events.failed?.(old ? fault('SERVER_CANNOT_WATCH', {}, { cause: error }) : error);
    },
  });
  const stop = watchNetwork((_hosts, change) => {
    if (change === 'moved') watch.reconnect();
  });
  return {
    change: (names) => watch.change(names),
    absent() {},
    close() {
      stop();
      watch.close();
    },
  };
}

/** Announcements of one nameplate that are remembered: anybody on the network can make some. */
const MOST_INSTANCES = 8;
/** Milliseconds after a goodbye in which the same sender's earlier answers may still come in, from other sockets. */
const LATE_MS = 2000;
/** Goodbyes that are remembered. */
const MOST_GOODBYES = 64;

/** On the local network. @param interfaces only these, for tests */
export function onLan(nameplates: readonly string[], events: WayEvents, interfaces?: readonly string[]): Way {
  const stop = new AbortController();
  let wanted = new Set(nameplates);
  /** Those that are known to announce each: one that is heard again is no arrival. */
  const heard = new Map<string, Set<string>>();
  /** When each instance said goodbye. A forged one silences a sender for a moment only. */
  const goodbyes = new Map<string, number>();
  const seen = ({ nameplate, instance, addresses, gone }: Announcement) => {
    if (!wanted.has(nameplate)) return;
    const instances = heard.get(nameplate) ?? new Set();
    const now = realClock.now();
    if (gone) {
      goodbyes.delete(instance);
      goodbyes.set(instance, now);
      forgetOldest(goodbyes, MOST_GOODBYES);
      if (instances.delete(instance) && instances.size === 0) {
        heard.delete(nameplate);
        events.gone(nameplate);
      }
    } else if (now - (goodbyes.get(instance) ?? Number.NEGATIVE_INFINITY) < LATE_MS) {
      // Said before it went.
    } else if (addresses.length > 0 && !instances.has(instance) && instances.size < MOST_INSTANCES) {
      heard.set(nameplate, instances.add(instance));
      events.came(nameplate);
    }
  };
  void browse(stop.signal, seen, interfaces);
  return {
    change(names) {
      wanted = new Set(names);
      for (const nameplate of heard.keys()) if (!wanted.has(nameplate)) heard.delete(nameplate);
    },
    // A sender that was killed says no goodbye. When it is heard again, it is there again.
    absent(nameplate) {
      if (heard.delete(nameplate)) events.gone(nameplate);
    },
    close: () => stop.abort(),
  };
}
