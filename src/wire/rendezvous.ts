/**
 * What a peer and a rendezvous server say to each other: one JSON object per WebSocket text message.
 * Non-goal: what the bodies mean. They are opaque here, and sealed by the peers.
 */
import * as v from 'valibot';
import { utf8Encode } from '../base/bytes.ts';
import { BeelineError, type ErrorCode, fault, knownReason, type Reason } from '../base/errors.ts';
import { count, hex, list, only, readJson, text, version } from '../base/json.ts';
import { MAX_SIGNAL } from '../base/limits.ts';

export const RENDEZVOUS_VERSION = 2;
export const RENDEZVOUS_PATH = '/v1/rendezvous';
export const RELAY_PATH = '/v1/relay';
/** A header of the request for the WebSocket: the client's first message, which need not wait for the answer then. */
export const FIRST_HEADER = 'beeline-first';
/** The same header of the answer, if the message was taken. */
export const FIRST_TAKEN = 'taken';
/** Characters of such a message. */
export const MAX_FIRST = 512;
/** A whole message in UTF-8 bytes: JSON escapes may double a body that is itself JSON. */
export const MAX_RENDEZVOUS_TEXT = 2 * MAX_SIGNAL + 512;
/** Guests of one host at a time, whatever the two agree on. */
export const MAX_GUESTS = 1024;
/** The highest number that a guest may get. */
export const MAX_GUEST = 2 ** 31 - 1;

/** What a server may refuse with. */
const REFUSALS = ['NO_PEER', 'CROWDED', 'SERVER', 'VERSION', 'PROTOCOL', 'REFUSED'] as const;
export type RefusalCode = (typeof REFUSALS)[number] & ErrorCode;

export type ClientMessage = v.InferInput<typeof CLIENT>;
export type ServerMessage = v.InferOutput<typeof SERVER>;
/** What else a server does for two peers who meet at it. */
export type Services = v.InferOutput<typeof SERVICES>;
export type TurnServer = v.InferOutput<typeof TURN>;

export const NO_SERVICES: Services = { relay: false, stun: [] };

export function isNameplate(text: unknown): text is string {
  return typeof text === 'string' && /^[a-z0-9]{1,32}$/.test(text);
}

/** @throws BeelineError INTERNAL if the message is over MAX_SIGNAL (its body) or MAX_RENDEZVOUS_TEXT (the whole). */
export function encodeRendezvous(message: ClientMessage | ServerMessage): string {
  const text = JSON.stringify(message);
  const body = 'body' in message ? message.body : '';
  if (byteLength(body) > MAX_SIGNAL || byteLength(text) > MAX_RENDEZVOUS_TEXT)
    throw new BeelineError('INTERNAL', `A rendezvous message may have at most ${MAX_SIGNAL} bytes.`);
  return text;
}

/** Bytes of a text in UTF-8. */
export function byteLength(text: string): number {
  return utf8Encode(text).length;
}

/** @throws BeelineError PROTOCOL, or VERSION if the server speaks another version. */
export function decodeServerMessage(text: string): ServerMessage {
  return readRendezvous(SERVER, text);
}

/** 128 random bits in hex. */
export const TOKEN = hex(16);

export const NAMEPLATE = v.custom<string>(isNameplate);
export const RENDEZVOUS_V = version(RENDEZVOUS_VERSION, (theirs) =>
  fault('VERSION_OTHER', { what: 'rendezvous', ours: RENDEZVOUS_VERSION, theirs }),
);
const BODY = v.pipe(v.string(), v.maxBytes(MAX_SIGNAL));
/** A host names its guests by these numbers. A guest knows of one host only, and names nobody. */
const GUEST = count(MAX_GUEST, 1);

export const CLIENT = v.variant('t', [
  /**
   * Take a nameplate, or one that the server picks; `token` takes back one held before the connection was lost. `guests`: how
   * many this host takes at a time, 1 unless it says so. `used`: the highest number of a guest that it has heard of, so that a
   * server that has forgotten the mailbox gives no number twice.
   */
  v.pipe(
    only({
      t: v.literal('host'),
      v: RENDEZVOUS_V,
      nameplate: v.optional(NAMEPLATE),
      token: v.optional(TOKEN),
      guests: v.optional(count(MAX_GUESTS, 1)),
      used: v.optional(count(MAX_GUEST)),
    }),
    v.check(({ nameplate, token }) => token === undefined || nameplate !== undefined),
  ),
  /** Meet the host of a nameplate; `token` takes back this guest's own place, with its number. */
  only({ t: v.literal('join'), v: RENDEZVOUS_V, nameplate: NAMEPLATE, token: v.optional(TOKEN) }),
  /** A host names the guest that it speaks to, a guest nobody. */
  only({ t: v.literal('send'), guest: v.optional(GUEST), body: BODY }),
  /** Host only: put a guest out, so that another may join. */
  only({ t: v.literal('drop'), guest: GUEST }),
  /** Host only: this guest has proven itself, and makes way for nobody. */
  only({ t: v.literal('keep'), guest: GUEST }),
  only({ t: v.literal('leave') }),
]);

const TURN = v.object({
  /** `turn:host:port` or `turn:host:port?transport=tcp` (RFC 7065). */
  urls: list(text(256), 8),
  username: text(256),
  credential: text(256),
});

// Later servers may do more for a meeting: services that are not known here are left out.
const SERVICES = v.object({
  /** It carries lanes (at RELAY_PATH) for whoever shows the token of a seat. */
  relay: v.boolean(),
  /** Ports of the server's host that answer STUN over UDP and TCP: two, so that the kind of NAT can be told. */
  stun: list(count(65_535, 1), 2),
  /** A TURN server that it has an agreement with. */
  turn: v.optional(TURN),
});

/** Ends the connection. */
export const REFUSED = v.pipe(
  only({
    t: v.literal('refused'),
    code: v.picklist(REFUSALS),
    reason: v.optional(text(64)),
    message: v.pipe(v.string(), v.transform(plain)),
  }),
  v.transform(({ t, code, reason, message }) => {
    const known: { reason?: Reason | undefined } = { reason: knownReason(reason, code) };
    return { t, code, message, ...known };
  }),
);

const SERVER = v.variant('t', [
  /** `guests`: how many the server lets in at a time. `present`: all that are there now. */
  only({
    t: v.literal('hosted'),
    v: RENDEZVOUS_V,
    nameplate: NAMEPLATE,
    token: TOKEN,
    services: SERVICES,
    guests: count(MAX_GUESTS, 1),
    present: list(GUEST, MAX_GUESTS),
  }),
  only({ t: v.literal('joined'), v: RENDEZVOUS_V, token: TOKEN, services: SERVICES }),
  /** To a host: a change of one guest, after `hosted`. To a guest, without a number: at once after `joined`, then each change. */
  only({ t: v.literal('peer'), guest: v.optional(GUEST), present: v.boolean() }),
  only({ t: v.literal('message'), guest: v.optional(GUEST), body: BODY }),
  REFUSED,
]);

/** @throws BeelineError PROTOCOL, VERSION */
export function readRendezvous<S extends v.GenericSchema>(schema: S, text: string): v.InferOutput<S> {
  // UTF-16 units first: they are never more than the bytes, and counting bytes allocates.
  if (text.length > MAX_RENDEZVOUS_TEXT || byteLength(text) > MAX_RENDEZVOUS_TEXT)
    throw malformed(`a message of more than ${MAX_RENDEZVOUS_TEXT} bytes`);
  return readJson(schema, text, malformed);
}

/** A server's sentence goes to a person's terminal: one line, no control or bidirectional characters. */
function plain(text: string): string {
  return text.slice(0, 300).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu, ' ');
}

function malformed(what: string, cause?: unknown): BeelineError {
  return fault('RENDEZVOUS_MALFORMED', { what }, { cause });
}
