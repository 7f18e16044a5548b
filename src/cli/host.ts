/**
 * What a command needs from the process around it. main.ts fills it in with the real thing, tests with stand-ins;
 * the heavy parts are functions so that only what a command uses is loaded.
 */
import type { Code } from '../identity/code.ts';
import type { Device } from '../identity/devices.ts';
import type { Doubt } from '../identity/doubt.ts';
import type { Logger, ReceiveOptions, SendOptions, Transfer, What } from '../node/api.ts';
import type { ServerOptions } from '../server/index.ts';
import type { Env } from './options.ts';
import type { Output } from './screen.ts';

/** The part of src/index.ts that is used. */
export interface Library {
  send(what: What, options: SendOptions): Transfer;
  receive(options: ReceiveOptions): Transfer;
}

/** The parts of src/identity/code.ts and doubt.ts that are used. */
export interface Codes {
  parseCode(text: string): Code;
  formatCode(code: Code): string;
  doubtAbout(password: string): Doubt | undefined;
  describeDoubt(doubt: Doubt): string;
}

/** The part of src/server/index.ts that is used. */
export interface ServerModule {
  startServer(
    options: Pick<
      ServerOptions,
      | ('port' | 'host' | 'trustProxy' | 'relay' | 'stun' | 'stunPort' | 'turn' | 'limits')
      | ('tls' | 'allowOrigins' | 'warn')
    > & {
      log?: Logger;
    },
  ): Promise<{
    url: string;
    port: number;
    stunPorts?: readonly number[];
    reload?(): Promise<void>;
    close(): Promise<void> | void;
  }>;
}

/** The part of KnownDevices that is used. */
export interface Devices {
  readonly own: { readonly publicKey: string };
  list(): Device[];
  add(name: string, key: string): Promise<Device>;
  remove(nameOrKey: string): Promise<Device>;
}

export type Input = NodeJS.ReadableStream & { isTTY?: boolean; setRawMode?(raw: boolean): unknown };

export interface Host {
  readonly env: Env;
  readonly stdin: Input;
  readonly stdout: NodeJS.WritableStream & { isTTY?: boolean };
  readonly stderr: Output & NodeJS.WritableStream;
  library(): Promise<Library>;
  codes(): Promise<Codes>;
  server(): Promise<ServerModule>;
  devices(configDir?: string): Promise<Devices>;
}
