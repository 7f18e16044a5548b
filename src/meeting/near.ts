/** Shows this side to others that are near it, by the server, for as long as it is wanted; it hears of them, and of their calls. */
import { type Clock, realClock } from '../base/clock.ts';
import { BeelineError, fault } from '../base/errors.ts';
import { decodeNearMessage, encodeNear, type NearDevice, type NearMessage } from '../wire/near.ts';
import { RENDEZVOUS_VERSION } from '../wire/rendezvous.ts';
import type { Dial } from './ports.ts';
import { StandingConnection } from './standing.ts';

export interface NearEvents {
  /** All others that show themselves now. Undefined: the server cannot be reached for now, and is tried again. */
  nearby(devices: readonly NearDevice[] | undefined): void;
  /** One of them has something at this nameplate; undefined: not any more. */
  called(from: NearDevice, nameplate: string | undefined): void;
  /** The server does not do this, or has no room for it. It is over then. */
  refused(error: BeelineError): void;
}

export interface Near {
  /** Calls one of them, again too whenever one of the two has come back, until another is called or the nameplate is undefined. */
  call(to: string, nameplate: string | undefined): void;
  /** The network has changed: dials again at once. */
  reconnect(): void;
  close(): void;
}

/**
 * Begins at once.
 * @param token 128 random bits in hex, of this visit
 * @param clock for tests
 */
export function keepNear(
  dial: Dial,
  { token, name }: { token: string; name: string },
  events: NearEvents,
  clock: Clock = realClock,
): Near {
  let there: ReadonlySet<string> = new Set();
  let calling: { to: string; nameplate: string } | undefined;
  const say = (to: string, nameplate: string | undefined) =>
    connection.send(encodeNear({ t: 'call', to, nameplate }));
  const hear = (message: NearMessage, greeted: boolean): boolean => {
    switch (message.t) {
      case 'refused':
        throw new BeelineError(message.code, message.message, { reason: message.reason });
      case 'nearby': {
        const before = greeted ? there : new Set();
        there = new Set(message.devices.map(({ id }) => id));
        events.nearby(message.devices);
        if (calling && there.has(calling.to) && !before.has(calling.to)) say(calling.to, calling.nameplate);
        return true;
      }
      case 'called':
        if (!greeted) throw fault('SERVER_MISBEHAVES', { what: 'passes a call on before it greets' });
        events.called(message.from, message.nameplate);
        return true;
    }
  };
  const connection = new StandingConnection(
    dial,
    {
      first: () => encodeNear({ t: 'near', v: RENDEZVOUS_VERSION, name, token }),
      hear: (text, greeted) => hear(decodeNearMessage(text), greeted),
      away: () => events.nearby(undefined),
      refused: (error) => events.refused(error),
    },
    clock,
  );
  connection.reconnect();
  return {
    call(to, nameplate) {
      if (calling && calling.to !== to) say(calling.to, undefined);
      calling = nameplate === undefined ? undefined : { to, nameplate };
      say(to, nameplate);
    },
    reconnect: () => connection.reconnect(),
    close: () => connection.close(),
  };
}
