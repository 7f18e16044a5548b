/** Two sides in one process with the WebRTC of Node, whose hellos cross in memory. */
import { networkInterfaces } from 'node:os';
import { BeelineError } from '../../src/base/errors.ts';
import type { Pipe } from '../../src/secure/pipe.ts';
import { nodePeerConnections } from '../../src/transports/webrtc/node-transport.ts';
import type { Connect } from '../../src/transports/webrtc/ports.ts';
import { WebRtcSide } from '../../src/transports/webrtc/side.ts';
import type { RtcDescription } from '../../src/wire/rtc.ts';

/** Why there is no WebRTC here; undefined: there is. ICE does not use loopback addresses. */
export async function lacking(): Promise<string | undefined> {
  if (!(await nodePeerConnections())) return 'node-datachannel is not installed';
  const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  return addresses.some(({ internal }) => !internal) ? undefined : 'this machine has no address but loopback';
}

export interface Sides {
  sender: WebRtcSide;
  receiver: WebRtcSide;
  /** The sender's, as they come. */
  pipes: Pipe[];
  close(): void;
}

type Alter = (rtc: RtcDescription[], hearer: 'sender' | 'receiver') => RtcDescription[];

/** @param alter what a side hears of the other */
export function sides(connect: () => Promise<Connect | undefined>, alter: Alter = (rtc) => rtc): Sides {
  const pipes: Pipe[] = [];
  const side = (role: 'sender' | 'receiver', tell: (rtc: RtcDescription[]) => void): WebRtcSide => {
    const made: WebRtcSide = new WebRtcSide({
      ...{ role, connect, relayOnly: false },
      iceServers: () => [],
      onPipe: (pipe) => pipes.push(pipe),
      onChange: () => tell(JSON.parse(JSON.stringify(made.descriptions))),
    });
    return made;
  };
  const sender = side('sender', (rtc) => receiver.peer(alter(rtc, 'receiver')));
  const receiver = side('receiver', (rtc) => sender.peer(alter(rtc, 'sender')));
  const close = () => {
    sender.close();
    receiver.close();
    for (const pipe of pipes.splice(0)) pipe.destroy();
  };
  return { sender, receiver, pipes, close };
}

/**
 * The receiver's end of one more lane. libdatachannel can see the other side's certificate before it has stored the fingerprint
 * to compare it with, when both are in one busy process: then the connection fails, and the next one is tried, as a supervisor does.
 */
export async function opened({ receiver }: Sides): Promise<Pipe> {
  for (let tries = 1; ; ) {
    try {
      return await receiver.path!.open(new AbortController().signal);
    } catch (error) {
      // After a failure the next try has to wait, which is no failure of its own.
      const paused = error instanceof BeelineError && error.reason === 'WEBRTC_PAUSED';
      if (!paused && tries++ === 20) throw error;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  }
}

/** Both ends of one lane, the sender's first. */
export async function lane(both: Sides): Promise<[Pipe, Pipe]> {
  const { pipes } = both;
  const before = pipes.length;
  const ours = await opened(both);
  while (pipes.length === before) await new Promise((resolve) => setTimeout(resolve, 2));
  return [pipes.at(-1)!, ours];
}
