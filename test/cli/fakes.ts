/** Stand-ins for the process around a command: streams that remember, a transfer that a test drives. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { PassThrough, Writable } from 'node:stream';
import { BeelineError, type ErrorCode } from '../../src/base/errors.ts';
import type { Host, Library } from '../../src/cli/host.ts';
import type {
  DownloadOptions,
  OfferSummary,
  ReceiveOptions,
  Result,
  SendOptions,
  State,
  Transfer,
  TransferEvent,
  What,
} from '../../src/node/api.ts';

export class Sink extends Writable {
  text = '';
  isTTY: boolean;
  columns: number;

  constructor(isTTY = false, columns = 80) {
    super();
    this.isTTY = isTTY;
    this.columns = columns;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

/** A terminal's input side: raw mode is a flag, typing is `write`. */
export class Keyboard extends PassThrough {
  isTTY = true;
  raw = false;

  setRawMode(raw: boolean): this {
    this.raw = raw;
    return this;
  }
}

/** What the command answers about an offer: it always asks, or looks at `--yes`, itself. */
export async function answer({ accept }: ReceiveOptions, offer: OfferSummary): Promise<boolean> {
  assert.ok(typeof accept === 'function');
  return await accept(offer);
}

export const RESULT: Result = {
  files: 2,
  bytes: 3_000_000,
  resumed: 0,
  seconds: 2,
  root: '0123456789abcdef'.repeat(4),
  peer: 'fedcba9876543210'.repeat(4),
  skipped: [],
};

export class FakeTransfer implements Transfer {
  state: State = 'idle';
  readonly calls: string[] = [];
  readonly done: Promise<Result>;
  readonly closed: Promise<void>;
  readonly #emitter = new EventEmitter();
  #settle!: { resolve: (result: Result) => void; reject: (error: Error) => void };

  constructor() {
    this.done = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.closed = this.done.then(
      () => {},
      () => {},
    );
  }

  emit(...events: TransferEvent[]): void {
    for (const event of events) this.#emitter.emit('event', event);
  }

  finish(result: Partial<Result> = {}): void {
    const whole = { ...RESULT, ...result };
    const { peer: _peer, skipped: _skipped, receivers: _receivers, ...told } = whole;
    this.emit({ event: 'done', ...told });
    this.#settle.resolve(whole);
  }

  fail(code: ErrorCode, message: string): void {
    this.reject(new BeelineError(code, message));
  }

  reject(error: BeelineError): void {
    this.emit({ event: 'error', code: error.code, message: error.message });
    this.#settle.reject(error);
  }

  subscribe(listener: (event: TransferEvent) => void): () => void {
    this.#emitter.on('event', listener);
    return () => this.#emitter.off('event', listener);
  }

  [Symbol.asyncIterator](): AsyncIterator<TransferEvent> {
    throw new Error('The command listens; it does not iterate.');
  }

  pause = () => void this.calls.push('pause');
  resume = () => void this.calls.push('resume');
  admitNoMore = () => void this.calls.push('admitNoMore');
  cancel = () => void this.calls.push('cancel');
}

/** Drives the transfer once the command listens. */
export type Script<O> = (transfer: FakeTransfer, options: O) => void | Promise<void>;

export interface FakeHostOptions {
  env?: Record<string, string>;
  stdin?: Host['stdin'];
  stderr?: Sink;
  stdout?: Sink;
  send?: Script<SendOptions & { what: What }>;
  receive?: Script<ReceiveOptions>;
  desktop?: (folder: string) => Promise<unknown>;
  download?: Script<DownloadOptions & { what: Parameters<Library['download']>[0] }>;
}

export interface FakeHost extends Host {
  readonly stdout: Sink;
  readonly stderr: Sink;
}

export function fakeHost(options: FakeHostOptions = {}): FakeHost {
  const stdin = options.stdin ?? new PassThrough().end();
  const start = <O>(script: Script<O> | undefined, given: O): Transfer => {
    const transfer = new FakeTransfer();
    // After the command has subscribed, as events of the real library come.
    setImmediate(() =>
      Promise.resolve(script?.(transfer, given)).catch((error) => transfer.fail('INTERNAL', String(error))),
    );
    return transfer;
  };
  const library: Library = {
    send: (what, given) => start(options.send, { ...given, what }),
    receive: (given) => start(options.receive, given),
    download: (what, given) => start(options.download, { ...given, what }),
  };
  return {
    env: options.env ?? {},
    stdin,
    stdout: options.stdout ?? new Sink(),
    stderr: options.stderr ?? new Sink(),
    send: async () => library.send,
    proxied: async () => (await import('../../src/node/proxied.ts')).onlyThrough,
    preview: async () => (await import('../../src/node/preview.ts')).preview,
    receive: async () => library.receive,
    outbox: () => Promise.reject(new Error('no outbox here')),
    listen: () => Promise.reject(new Error('no inbox here')),
    download: async () => library.download,
    desktop: async () => options.desktop,
    codes: async () => ({
      ...(await import('../../src/identity/code.ts')),
      ...(await import('../../src/identity/doubt.ts')),
      ...(await import('../../src/identity/completion.ts')),
    }),
    serve: () => Promise.reject(new Error('nothing is served here')),
    server: () => Promise.reject(new Error('no server here')),
    devices: () => Promise.reject(new Error('no devices here')),
  };
}
