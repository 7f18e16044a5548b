/** Two sides in one process with the WebRTC of Node, whose hellos cross in memory. */
import { networkInterfaces } from 'node:os';
import type { Pipe } from '../../src/lanes/pipe.ts';
import { nodePeerConnections } from '../../src/lanes/webrtc/node.ts';
import type { Connect } from '../../src/lanes/webrtc/ports.ts';
import { WebRtcSide } from '../../src/lanes/webrtc/side.ts';
import type { RtcDescription } from '../../src/protocol/rtc.ts';

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

/** Both ends of one lane, the sender's first. */
export async function lane({ receiver, pipes }: Sides): Promise<[Pipe, Pipe]> {
  const before = pipes.length;
  const ours = await receiver.path!.open(new AbortController().signal);
  while (pipes.length === before) await new Promise((resolve) => setTimeout(resolve, 2));
  return [pipes.at(-1)!, ours];
}
