/**
 * What a command needs from the process around it. process.ts fills it in with the real thing, tests with stand-ins; the
 * heavy parts are functions, so that only what a command uses is loaded.
 */
import type { KnownDevices } from '../identity/devices.ts';
import type { Env } from './options.ts';
import type { Output } from './screen.ts';

/** The part of src/index.ts that is used. */
export type Library = Pick<typeof import('../index.ts'), 'send' | 'receive' | 'download'>;
type Code = Pick<typeof import('../identity/code.ts'), 'parseCode' | 'formatCode' | 'linkIn' | 'flagsIn'>;
type Doubt = Pick<
  typeof import('../identity/doubt.ts'),
  'doubtAbout' | 'describeDoubt' | 'hintAtDoubt' | 'lacksNumber'
>;
type Completion = Pick<typeof import('../identity/completion.ts'), 'completionOf'>;
export type Codes = Code & Doubt & Completion;
export type Devices = Pick<KnownDevices, 'own' | 'list' | 'find' | 'add' | 'remove' | 'setInbox'>;

export type Outbox = Pick<typeof import('../node/outbox.ts'), 'deliver' | 'goFirst' | 'OutboxStore'>;

export type Input = NodeJS.ReadableStream & { isTTY?: boolean; setRawMode?(raw: boolean): unknown };

export interface Host {
  readonly env: Env;
  readonly stdin: Input;
  readonly stdout: NodeJS.WritableStream & { isTTY?: boolean };
  readonly stderr: Output & NodeJS.WritableStream;
  send(): Promise<Library['send']>;
  proxied(): Promise<typeof import('../node/proxied.ts').onlyThrough>;
  preview(): Promise<typeof import('../node/preview.ts').preview>;
  receive(): Promise<Library['receive']>;
  listen(): Promise<typeof import('../node/inbox.ts').listen>;
  download(): Promise<Library['download']>;
  serve(): Promise<typeof import('../node/serve.ts').serve>;
  outbox(): Promise<Outbox>;
  /** Shows a folder on the desktop; undefined where there is none. */
  desktop(): Promise<((folder: string) => Promise<unknown>) | undefined>;
  codes(): Promise<Codes>;
  server(): Promise<Pick<typeof import('../server/index.ts'), 'startServer' | 'checkServer'>>;
  devices(configDir?: string): Promise<Devices>;
}
