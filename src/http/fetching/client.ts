/**
 * Asking servers by HTTP: keep-alive connections, proxies, deadlines and bounds; bodies come as they are read, with backpressure
 * down to the socket. Redirects are answers like others here. On undici.
 */
import type { Dispatcher } from 'undici';
import { BeelineError, fault } from '../../base/errors.ts';
import { proxyFor, refusalOf, type Proxy as WebProxy } from '../../websocket/proxy.ts';
import type { Reach } from './reach.ts';

const HEADERS_MS = 30_000;
/** Without a byte of a body that is being read. */
const BODY_MS = 30_000;

/** What a server answered: its head is here, and its body waits until it is read or closed. */
export interface Answer {
  readonly url: URL;
  readonly status: number;
  /** By its name in lower case; of several with one name, joined by commas. */
  header(name: string): string | undefined;
  /**
   * Hands over the body as it comes, in bytes that are somebody else's once `take` has returned. While what it returned is unsettled,
   * nothing is read. Resolves at the end of a
   * body that is whole. Rejects when it is cut short or late, when `take` throws, and after `close`.
   */
  read(take: (bytes: Uint8Array) => void | Promise<void>): Promise<void>;
  /** Whatever is left of the body is not wanted. */
  close(): void;
}

export interface ClientOptions {
  reach: Reach;
  /** What is said in User-Agent. */
  agent: string;
  /** Connections to one server at a time. */
  connections: number;
}

export class Client {
  readonly #options: ClientOptions;
  #direct: Dispatcher | undefined;
  readonly #proxied = new Map<string, Dispatcher>();
  #closed = false;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /** @throws BeelineError SERVER, REFUSED or USAGE (a proxy that makes no sense) */
  async get(
    url: URL,
    headers: Readonly<Record<string, string | undefined>>,
    signal: AbortSignal,
  ): Promise<Answer> {
    signal.throwIfAborted();
    this.#options.reach.checkHost(url.hostname);
    const proxy = await proxyFor(url.href);
    const dispatcher = await this.#dispatcher(url, proxy);
    signal.throwIfAborted();
    // A proxy is asked for the whole URL where there is no tunnel.
    const forwarded = proxy && !proxy.socks && url.protocol === 'http:';
    const given = Object.entries(headers).filter((one): one is [string, string] => one[1] !== undefined);
    return new Promise((resolve, reject) => {
      const exchange = new Exchange(url, proxy, signal, resolve, reject);
      dispatcher.dispatch(
        {
          ...{ origin: url.origin, method: 'GET' },
          path: `${forwarded ? url.origin : ''}${url.pathname}${url.search}`,
          headers: {
            ...(forwarded && { host: url.host }),
            ...(forwarded && proxy.authorization && { 'proxy-authorization': proxy.authorization }),
            'user-agent': this.#options.agent,
            accept: '*/*',
            // What comes is the file itself, of which ranges can be asked for.
            'accept-encoding': 'identity',
            ...Object.fromEntries(given),
          },
          ...{ headersTimeout: HEADERS_MS, bodyTimeout: BODY_MS },
        },
        exchange,
      );
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const all = [this.#direct, ...this.#proxied.values()];
    await Promise.all(all.map((each) => each?.destroy()));
  }

  async #dispatcher({ protocol }: URL, proxy: WebProxy | undefined): Promise<Dispatcher> {
    const { direct, forwarded, tunnelled } = await import('./dispatchers.ts');
    if (this.#closed) throw new BeelineError('CANCELLED', 'The client was closed.');
    const { connections, reach } = this.#options;
    if (!proxy) {
      this.#direct ??= direct(connections, reach);
      return this.#direct;
    }
    const by = `${protocol} ${proxy.secure} ${proxy.host} ${proxy.port}`;
    const passedOn = protocol === 'http:' && !proxy.socks;
    const known = this.#proxied.get(by) ?? (passedOn ? forwarded : tunnelled)(connections, proxy);
    this.#proxied.set(by, known);
    return known;
  }
}

class Exchange implements Dispatcher.DispatchHandler, Answer {
  readonly url: URL;
  status = 0;
  readonly #proxy: WebProxy | undefined;
  readonly #signal: AbortSignal;
  readonly #resolve: (answer: Answer) => void;
  #reject: (error: unknown) => void;
  #headers: Readonly<Record<string, string | string[] | undefined>> = {};
  #controller: Dispatcher.DispatchController | undefined;
  #take: ((bytes: Uint8Array) => void | Promise<void>) | undefined;
  #done: (() => void) | undefined;
  /** It has ended: undefined for a body that is whole. */
  #end: { error: unknown } | undefined;

  constructor(
    url: URL,
    proxy: WebProxy | undefined,
    signal: AbortSignal,
    resolve: (answer: Answer) => void,
    reject: (error: unknown) => void,
  ) {
    this.url = url;
    this.#proxy = proxy;
    this.#signal = signal;
    this.#resolve = resolve;
    this.#reject = reject;
    signal.addEventListener('abort', this.#abort, { once: true });
  }

  header(name: string): string | undefined {
    const value = this.#headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  read(take: (bytes: Uint8Array) => void | Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#end) return this.#end.error === undefined ? resolve() : reject(this.#end.error);
      this.#take = take;
      this.#done = resolve;
      this.#reject = reject;
      this.#controller!.resume();
    });
  }

  close(): void {
    this.#abort();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#end) controller.abort(new Error('given up'));
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200) return;
    if (status === 407 && this.#proxy) return this.#fail(refusalOf(this.#proxy, status, this.url.host));
    this.status = status;
    this.#headers = headers;
    controller.pause();
    this.#resolve(this);
  }

  onResponseData(controller: Dispatcher.DispatchController, bytes: Buffer): void {
    // When it is resumed, the parser tells of no bytes at all first; to pause for these would go on for ever.
    if (this.#end || bytes.length === 0) return;
    try {
      const taken = this.#take!(bytes);
      if (!taken) return;
      controller.pause();
      taken.then(
        () => controller.resume(),
        (thrown) => this.#fail(thrown),
      );
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  onResponseEnd(): void {
    this.#settle(undefined);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#settle(serverError(this.url, error, this.#proxy));
  }

  readonly #abort = (): void => {
    this.#fail(new BeelineError('CANCELLED', 'The request was given up.'));
  };

  #fail(thrown: unknown): void {
    if (this.#end) return;
    this.#settle(thrown);
    // What is paused would not hear of its connection's end.
    this.#controller?.resume();
    this.#controller?.abort(new Error('given up'));
  }

  #settle(error: unknown): void {
    if (this.#end) return;
    this.#end = { error };
    this.#signal.removeEventListener('abort', this.#abort);
    if (error !== undefined) this.#reject(error);
    else this.#done?.();
  }
}

const WORDS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'its name is unknown',
  EAI_AGAIN: 'its name cannot be looked up now',
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'it closed the connection',
  ENETUNREACH: 'there is no way to it',
  EHOSTUNREACH: 'there is no way to it',
  ETIMEDOUT: 'it does not answer',
  UND_ERR_CONNECT_TIMEOUT: 'it does not answer',
  UND_ERR_HEADERS_TIMEOUT: `it sent no answer for ${HEADERS_MS / 1000} s`,
  UND_ERR_BODY_TIMEOUT: `it sent nothing for ${BODY_MS / 1000} s`,
  UND_ERR_HEADERS_OVERFLOW: 'its answer has too large a head',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'it sent less than it announced',
  UND_ERR_SOCKET: 'it closed the connection',
};

/** Failures of certificates, which nothing but a person changes. */
const CERTIFICATE =
  /^(?:CERT_|ERR_TLS_CERT|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_SSL_WRONG_VERSION|HOSTNAME_)/;

/** @returns the same, where it is one of ours */
export function serverError(url: URL, thrown: unknown, proxy?: WebProxy): BeelineError {
  for (let at: unknown = thrown, depth = 0; at instanceof Error && depth < 5; depth++, at = at.cause)
    if (at instanceof BeelineError) return at;
  const inner =
    thrown instanceof AggregateError && thrown.errors[0] instanceof Error ? thrown.errors[0] : thrown;
  const code = inner instanceof Error && 'code' in inner ? String(inner.code) : '';
  const why = WORDS[code] ?? (inner instanceof Error ? inner.message : String(inner));
  const host = proxy ? `${url.host} through the proxy ${proxy.host}:${proxy.port}` : url.host;
  const detail = { cause: thrown };
  if (CERTIFICATE.test(code)) return fault('HTTP_CERTIFICATE', { host, why }, detail);
  return fault('HTTP_AWAY', { host, why: why.slice(0, 200) }, detail);
}
