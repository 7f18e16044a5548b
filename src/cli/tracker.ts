/** What is known of a running transfer, from its events: for the progress display and the metrics. */
import type { State, TransferEvent } from '../node/api.ts';
import { percentOf } from './format.ts';

export interface ShownLane {
  kind: string;
  /** `host:port` of the other end. */
  remote: string;
  /** It goes through a relay, or a TURN server. */
  relayed?: boolean;
}

/** What moves between several receivers, in bytes so far. */
export type Swarm = Pick<Extract<TransferEvent, { event: 'swarm' }>, 'from' | 'to' | 'up' | 'down'>;

export class Tracker {
  state: State = 'idle';
  bytes = 0;
  /** Of these, what was here before. */
  resumed = 0;
  /** Undefined until known, as for stdin. */
  total: number | undefined;
  /** Its total is known only at its end. */
  stream = false;
  /** Bytes a second; the library averages over the last seconds. */
  rate = 0;
  /** Seconds for which nothing has come from the other side. */
  silent: number | undefined;
  /** Seconds left. */
  eta: number | undefined;
  files = 0;
  fileCount: number | undefined;
  file: string | undefined;
  /** 0 to 100, and 100 only when all of it is there. */
  filePercent: number | undefined;
  readonly lanes = new Map<number, ShownLane>();
  /** Bytes a second by kind of lane. */
  by: Readonly<Record<string, number>> = {};
  swarm: Swarm | undefined;

  apply(event: TransferEvent): void {
    switch (event.event) {
      case 'state':
        this.state = event.to;
        if (event.to === 'paused' || event.to === 'connecting') this.rate = 0;
        this.silent = undefined;
        break;
      case 'manifest':
        this.fileCount = event.files;
        this.total = event.bytes ?? undefined;
        this.stream = event.bytes === null;
        break;
      case 'resumed':
        this.resumed = event.bytes;
        this.bytes = event.bytes;
        break;
      case 'lane':
        if (event.status === 'open') {
          const { kind, remote, relayed = false } = event;
          this.lanes.set(event.id, { kind, remote, relayed });
        } else this.lanes.delete(event.id);
        break;
      case 'progress':
        this.bytes = event.bytes;
        this.total = event.total ?? undefined;
        this.rate = event.rate;
        this.silent = event.silent;
        this.eta = event.eta ?? undefined;
        this.files = event.files;
        this.file = event.file;
        this.filePercent =
          event.fileBytes === undefined || event.fileSize === undefined
            ? undefined
            : percentOf(event.fileBytes, event.fileSize);
        this.by = event.by;
        break;
      case 'swarm':
        this.swarm = event;
        break;
      case 'done':
        this.resumed = event.resumed;
        this.files = event.files;
        this.bytes = event.bytes;
        this.total = event.bytes;
        break;
    }
  }

  /** 0 to 100, and 100 only when all is there; undefined without a total. */
  get percent(): number | undefined {
    return this.total === undefined ? undefined : percentOf(this.bytes, this.total);
  }
}

/**
 * '4 lanes, tcp 192.168.1.7'. Of several kinds each says what share it carries, the largest first:
 * '6 lanes, udx 203.0.113.9 88%, tcp 12%'.
 */
export function describeLanes({ lanes, by }: Pick<Tracker, 'lanes' | 'by'>): string {
  if (lanes.size === 0) return '';
  const kinds = new Map<string, { count: number; host: string }>();
  for (const { kind, remote } of lanes.values()) {
    const { count = 0, host = remote.replace(/:\d+$/, '') } = kinds.get(kind) ?? {};
    kinds.set(kind, { count: count + 1, host });
  }
  const rate = (kind: string) => by[kind] ?? 0;
  const sum = [...kinds.keys()].reduce((total, kind) => total + rate(kind), 0);
  const sorted = [...kinds].sort(([a, x], [b, y]) => rate(b) - rate(a) || y.count - x.count);
  const texts = sorted.map(([kind, { host }], i) => {
    const share = kinds.size > 1 && sum > 0 ? ` ${Math.round((100 * rate(kind)) / sum)}%` : '';
    return `${kind}${i === 0 ? ` ${host}` : ''}${share}`;
  });
  return `${lanes.size} lane${lanes.size === 1 ? '' : 's'}, ${texts.join(', ')}`;
}
