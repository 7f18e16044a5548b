/**
 * WebRTC for a program, by node-datachannel (libdatachannel), an optional package with a native part. It is loaded when a page is
 * at the other end. Its peculiarities are handled here. It keeps the process alive only while a connection is open.
 */
import { fault } from '../../base/errors.ts';
import type { NodeTransport } from '../surroundings.ts';
import { boundedServer, parseTurnUrl } from '../turn/server.ts';
import type { Configuration, Connect, DataChannel, IceServer, PeerConnection } from './ports.ts';
import { WEBRTC, WebRtcTransport } from './transport.ts';

interface NativeServer {
  hostname: string;
  port: number;
  username?: string;
  password?: string;
  relayType?: 'TurnUdp';
}

interface Package {
  PeerConnection: new (
    name: string,
    configuration: { iceServers: NativeServer[]; iceTransportPolicy: string },
  ) => object;
}

interface Polyfill {
  RTCPeerConnection: new (configuration: { peerConnection: object }) => PeerConnection;
}

/** Undefined where the package is not installed, or has no binary for this machine. */
export async function nodePeerConnections(): Promise<Connect | undefined> {
  try {
    const [native, { RTCPeerConnection }] = (await Promise.all([
      import('node-datachannel'),
      import('node-datachannel/polyfill'),
    ])) as unknown as [Package, Polyfill];
    return ({ iceServers, iceTransportPolicy }: Configuration) => {
      const configuration = { iceServers: iceServers.flatMap(nativeServers), iceTransportPolicy };
      const peerConnection = new native.PeerConnection('beeline', configuration);
      return closing(new RTCPeerConnection({ peerConnection }));
    };
  } catch {
    return undefined;
  }
}

/** As URLs it would misread IPv6 addresses, and a colon or slash in user name or password. It speaks to TURN servers over UDP only. */
function nativeServers({ urls, username, credential }: IceServer): NativeServer[] {
  return urls.flatMap((url): NativeServer[] => {
    const stun = /^stun:/i.test(url);
    // Both have the same form (RFC 7064, RFC 7065).
    const target = parseTurnUrl(stun ? url.replace(/^stun/i, 'turn') : url);
    if (!target || target.secure) return [];
    const server = { hostname: target.host, port: target.port };
    if (stun) return [server];
    const tcp = /[?&]transport=tcp/i.test(url);
    if (tcp || username === undefined || credential === undefined) return [];
    return [{ ...server, username, password: credential, relayType: 'TurnUdp' }];
  });
}

/** A channel that never opened keeps the process alive, unless it is closed itself. */
function closing(connection: PeerConnection): PeerConnection {
  const channels: DataChannel[] = [];
  const create = connection.createDataChannel.bind(connection);
  const close = connection.close.bind(connection);
  return Object.assign(connection, {
    createDataChannel(...options: Parameters<typeof create>) {
      const channel = create(...options);
      channels.push(channel);
      return channel;
    },
    close() {
      close();
      for (const channel of channels.splice(0)) channel.close();
    },
  });
}

export const webrtc: NodeTransport = {
  ...WEBRTC,
  make: (around) =>
    new WebRtcTransport(around, {
      load: nodePeerConnections,
      forPagesOnly: true,
      turn: ({ services, url }) => services.turn && boundedServer(services.turn, new URL(url).hostname),
      onLack: () => around.onLack(fault('WEBRTC_NOT_INSTALLED')),
    }),
};
