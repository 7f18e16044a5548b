/** The transports of a program, best first. A new transport gets a line here. */
import { punched } from './punched/transport.ts';
import { quic } from './quic/transport.ts';
import { relay } from './relay/node-transport.ts';
import type { NodeTransport } from './surroundings.ts';
import { tcp } from './tcp/transport.ts';
import { turn } from './turn/transport.ts';
import { udx } from './udx/transport.ts';
import { webrtc } from './webrtc/node-transport.ts';

export const NODE_TRANSPORTS: readonly NodeTransport[] = [tcp, punched, udx, webrtc, turn, relay];
/** With QUIC in place of UDX, wherever a QUIC lane opens. Not by default: where packets are lost it carries far less (docs/nat.md). */
export const QUIC_TRANSPORTS: readonly NodeTransport[] = [tcp, punched, quic, udx, webrtc, turn, relay];
