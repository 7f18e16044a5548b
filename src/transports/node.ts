/** The transports of a program, best first. A new transport gets a line here. */
import { punched } from './punched/transport.ts';
import { relay } from './relay/node-transport.ts';
import type { NodeTransport } from './surroundings.ts';
import { tcp } from './tcp/transport.ts';
import { turn } from './turn/transport.ts';
import { udx } from './udx/transport.ts';
import { webrtc } from './webrtc/node-transport.ts';

export const NODE_TRANSPORTS: readonly NodeTransport[] = [tcp, punched, udx, webrtc, turn, relay];
