/** Two sides whose hellos cross in memory, on connections in memory. */
import { randomBytes } from 'node:crypto';
import type { Pipe } from '../../src/secure/pipe.ts';
import type { IceServer } from '../../src/transports/webrtc/ports.ts';
import { WebRtcSide } from '../../src/transports/webrtc/side.ts';
import type { RtcDescription } from '../../src/wire/rtc.ts';
import { FakeNetwork } from './webrtc-fake.ts';

const never = new AbortController().signal;
export const turn = () => new Promise((resolve) => setImmediate(resolve));

export async function until(what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; !holds(); i++) {
    if (i > 20_000) throw new Error(`never: ${what}`);
    await turn();
  }
}

export interface Options {
  relayOnly?: boolean;
  servers?: IceServer[];
  missing?: boolean;
}

export class Party {
  readonly side: WebRtcSide;
  readonly pipes: Pipe[] = [];
  /** Hellos, oldest first, as they cross. */
  readonly said: RtcDescription[][] = [];
  other: Party | undefined;

  constructor(role: 'sender' | 'receiver', network: FakeNetwork, options: Options = {}) {
    this.side = new WebRtcSide({
      role,
      connect: async () => (options.missing ? undefined : network.connect),
      iceServers: () => options.servers ?? [],
      relayOnly: options.relayOnly ?? false,
      onPipe: (pipe) => this.pipes.push(pipe),
      onChange: () => this.say(),
    });
  }

  say(): void {
    const rtc = JSON.parse(JSON.stringify(this.side.descriptions)) as RtcDescription[];
    this.said.push(rtc);
    setImmediate(() => this.other?.side.peer(rtc));
  }

  async open(signal = never): Promise<Pipe> {
    return this.side.path!.open(signal);
  }
}

export function parties(): { network: FakeNetwork; sender: Party; receiver: Party } {
  const network = new FakeNetwork();
  const [sender, receiver] = [new Party('sender', network), new Party('receiver', network)];
  sender.other = receiver;
  receiver.other = sender;
  return { network, sender, receiver };
}

export function offer(fields: Partial<RtcDescription> = {}): RtcDescription {
  return {
    id: randomBytes(8).toString('hex'),
    kind: 'offer',
    ufrag: randomBytes(4).toString('hex'),
    password: randomBytes(12).toString('hex'),
    fingerprint: randomBytes(32).toString('hex'),
    candidates: ['candidate:1 1 udp 1 192.0.2.9 9999 typ host'],
    ...fields,
  };
}
