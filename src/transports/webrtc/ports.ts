/**
 * What a WebRTC lane needs of RTCPeerConnection and RTCDataChannel (W3C WebRTC): a browser's have it, and so do Node's by
 * node.ts. Written with methods, whose parameters TypeScript compares both ways, so that the DOM's types fit as they are.
 */
/** As RTCConfiguration has it (W3C WebRTC, 4.2.1). */
export interface IceServer {
  urls: string[];
  username?: string;
  credential?: string;
}

export interface Configuration {
  iceServers: IceServer[];
  /** `relay`: the peer learns no address of this side. */
  iceTransportPolicy: 'all' | 'relay';
}

export type Connect = (configuration: Configuration) => PeerConnection;

interface Emitter {
  addEventListener(type: string, listener: (event: never) => void): void;
}

export interface Description {
  type: 'offer' | 'answer';
  sdp: string;
}

export interface PeerConnection extends Emitter {
  readonly connectionState: string;
  readonly iceGatheringState: string;
  readonly localDescription: { readonly sdp: string } | null;
  createDataChannel(label: string, options: { ordered: boolean }): DataChannel;
  createOffer(): Promise<{ sdp?: string }>;
  createAnswer(): Promise<{ sdp?: string }>;
  setLocalDescription(description: Description): Promise<void>;
  setRemoteDescription(description: Description): Promise<void>;
  addIceCandidate(candidate: { candidate: string; sdpMid: string; sdpMLineIndex: number }): Promise<void>;
  getStats(): Promise<Statistics>;
  close(): void;
}

export interface Statistics {
  forEach(each: (entry: Record<string, unknown>) => void): void;
}

export interface DataChannel extends Emitter {
  readonly label: string;
  readonly protocol: string;
  readonly ordered: boolean;
  readonly maxPacketLifeTime: number | null;
  readonly maxRetransmits: number | null;
  readonly readyState: string;
  readonly bufferedAmount: number;
  bufferedAmountLowThreshold: number;
  binaryType: string;
  /** Copies. */
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(): void;
}
