/**
 * What a peer and a rendezvous server say to each other: one JSON object per WebSocket text message.
 * Non-goal: what the bodies mean. They are opaque here, and sealed by the peers.
 */
import { utf8Encode } from './bytes.ts';
import { BeelineError, type ErrorCode } from './errors.ts';
import { MAX_SIGNAL } from './limits.ts';

export const RENDEZVOUS_VERSION = 1;
export const RENDEZVOUS_PATH = '/v1/rendezvous';
export const RELAY_PATH = '/v1/relay';
/** A whole message in UTF-8 bytes: JSON escapes may double a body that is itself JSON. */
export const MAX_RENDEZVOUS_TEXT = 2 * MAX_SIGNAL + 512;

/** What a server may refuse with. */
const REFUSALS = ['NO_PEER', 'CROWDED', 'SERVER', 'VERSION', 'PROTOCOL', 'REFUSED'] as const;
export type RefusalCode = (typeof REFUSALS)[number] & ErrorCode;

export type ClientMessage =
  /** Take a nameplate, or one that the server picks; `token` takes back one held before the connection was lost. */
  | { t: 'host'; v: number; nameplate?: string; token?: string }
  /** Meet the host of a nameplate; `token` replaces this guest's own connection that the server still holds. */
  | { t: 'join'; v: number; nameplate: string; token?: string }
  | { t: 'send'; body: string }
  /** Host only: put the other side out, so that another may join. */
  | { t: 'drop' }
  | { t: 'leave' };

export type ServerMessage =
  | { t: 'hosted'; v: number; nameplate: string; token: string; services: Services }
  | { t: 'joined'; v: number; token: string; services: Services }
  /** Follows `hosted` and `joined` at once, and then every change. */
  | { t: 'peer'; present: boolean }
  | { t: 'message'; body: string }
  /** Ends the connection. */
  | { t: 'refused'; code: RefusalCode; message: string };

/** What else a server does for two peers who meet at it. */
export interface Services {
  /** It carries lanes (at RELAY_PATH) for whoever shows the token of a seat. */
  relay: boolean;
  /** Ports of the server's host that answer STUN over UDP and TCP: two, so that the kind of NAT can be told. */
  stun: number[];
  /** A TURN server that it has an agreement with. */
  turn?: TurnServer;
}

export const NO_SERVICES: Services = { relay: false, stun: [] };

export interface TurnServer {
  /** `turn:host:port` or `turn:host:port?transport=tcp` (RFC 7065). */
  urls: string[];
  username: string;
  credential: string;
}

export function isNameplate(text: unknown): text is string {
  return typeof text === 'string' && /^[a-z0-9]{1,32}$/.test(text);
}

/** @throws BeelineError USAGE if the message is over MAX_SIGNAL (its body) or MAX_RENDEZVOUS_TEXT (the whole). */
export function encodeRendezvous(message: ClientMessage | ServerMessage): string {
  const text = JSON.stringify(message);
  const body = 'body' in message ? message.body : '';
  if (byteLength(body) > MAX_SIGNAL || byteLength(text) > MAX_RENDEZVOUS_TEXT)
    throw new BeelineError('USAGE', `A rendezvous message may have at most ${MAX_SIGNAL} bytes.`);
  return text;
}

/** Bytes of a text in UTF-8. */
export function byteLength(text: string): number {
  return utf8Encode(text).length;
}

/** @throws BeelineError PROTOCOL, or VERSION if the client speaks another version. */
export function decodeClientMessage(text: string): ClientMessage {
  const fields = parse(text);
  switch (fields.t) {
    case 'host': {
      checkVersion(fields);
      only(fields, ['t', 'v', 'nameplate', 'token']);
      const { nameplate, token } = fields;
      if (nameplate !== undefined && !isNameplate(nameplate)) throw malformed('a malformed nameplate');
      if (token !== undefined && (!isToken(token) || nameplate === undefined)) throw malformed('a bad token');
      return { t: 'host', v: RENDEZVOUS_VERSION, nameplate, token };
    }
    case 'join': {
      checkVersion(fields);
      only(fields, ['t', 'v', 'nameplate', 'token']);
      const { nameplate, token } = fields;
      if (!isNameplate(nameplate)) throw malformed('a malformed nameplate');
      if (token !== undefined && !isToken(token)) throw malformed('a bad token');
      return { t: 'join', v: RENDEZVOUS_VERSION, nameplate, token };
    }
    case 'send':
      only(fields, ['t', 'body']);
      return { t: 'send', body: body(fields) };
    case 'drop':
    case 'leave':
      only(fields, ['t']);
      return { t: fields.t };
    default:
      throw malformed('a message of an unknown kind');
  }
}

/** @throws BeelineError PROTOCOL, or VERSION if the server speaks another version. */
export function decodeServerMessage(text: string): ServerMessage {
  const fields = parse(text);
  switch (fields.t) {
    case 'hosted': {
      checkVersion(fields);
      only(fields, ['t', 'v', 'nameplate', 'token', 'services']);
      const { nameplate, token } = fields;
      if (!isNameplate(nameplate) || !isToken(token)) throw malformed('a malformed nameplate or token');
      return { t: 'hosted', v: RENDEZVOUS_VERSION, nameplate, token, services: services(fields.services) };
    }
    case 'joined': {
      checkVersion(fields);
      only(fields, ['t', 'v', 'token', 'services']);
      if (!isToken(fields.token)) throw malformed('a bad token');
      return { t: 'joined', v: RENDEZVOUS_VERSION, token: fields.token, services: services(fields.services) };
    }
    case 'peer':
      only(fields, ['t', 'present']);
      if (typeof fields.present !== 'boolean') throw malformed('a malformed message');
      return { t: 'peer', present: fields.present };
    case 'message':
      only(fields, ['t', 'body']);
      return { t: 'message', body: body(fields) };
    case 'refused': {
      only(fields, ['t', 'code', 'message']);
      const code = REFUSALS.find((known) => known === fields.code);
      if (!code || typeof fields.message !== 'string') throw malformed('a malformed refusal');
      return { t: 'refused', code, message: plain(fields.message) };
    }
    default:
      throw malformed('a message of an unknown kind');
  }
}

function services(value: unknown): Services {
  if (typeof value !== 'object' || value === null) throw malformed('no services');
  const { relay, stun, turn } = value as Record<string, unknown>;
  const port = (each: unknown) => Number.isInteger(each) && (each as number) > 0 && (each as number) < 65536;
  if (typeof relay !== 'boolean' || !Array.isArray(stun) || stun.length > 2 || !stun.every(port))
    throw malformed('malformed services');
  return { relay, stun, ...(turn !== undefined && { turn: turnServer(turn) }) };
}

function turnServer(value: unknown): TurnServer {
  const { urls, username, credential } = (value ?? {}) as Record<string, unknown>;
  const short = (each: unknown): each is string => typeof each === 'string' && each.length <= 256;
  if (!Array.isArray(urls) || urls.length > 8 || !urls.every(short) || !short(username) || !short(credential))
    throw malformed('a malformed TURN server');
  return { urls, username, credential };
}

function parse(text: string): Record<string, unknown> {
  // UTF-16 units first: they are never more than the bytes, and counting bytes allocates.
  if (text.length > MAX_RENDEZVOUS_TEXT || byteLength(text) > MAX_RENDEZVOUS_TEXT)
    throw malformed(`a message of more than ${MAX_RENDEZVOUS_TEXT} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw malformed('text that is not JSON', cause);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw malformed('JSON that is not an object');
  return value as Record<string, unknown>;
}

function checkVersion(fields: Record<string, unknown>): void {
  if (fields.v === RENDEZVOUS_VERSION) return;
  if (!Number.isSafeInteger(fields.v)) throw malformed('no protocol version');
  throw new BeelineError(
    'VERSION',
    `This side speaks rendezvous version ${RENDEZVOUS_VERSION}, the other version ${fields.v}. Update the older Beeline.`,
  );
}

function only(fields: Record<string, unknown>, allowed: readonly string[]): void {
  for (const key of Object.keys(fields)) if (!allowed.includes(key)) throw malformed('an unknown field');
}

function body(fields: Record<string, unknown>): string {
  const { body } = fields;
  if (typeof body !== 'string') throw malformed('a message without a body');
  if (byteLength(body) > MAX_SIGNAL) throw malformed(`a body of more than ${MAX_SIGNAL} bytes`);
  return body;
}

/** 128 random bits in hex. */
export function isToken(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{32}$/.test(value);
}

/** A server's sentence goes to a person's terminal: one line, no control or bidirectional characters. */
function plain(text: string): string {
  return text.slice(0, 300).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu, ' ');
}

function malformed(what: string, cause?: unknown): BeelineError {
  return new BeelineError('PROTOCOL', `The rendezvous got ${what}; is it a Beeline on the other end?`, {
    cause,
  });
}
