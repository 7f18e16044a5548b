/** What is known of a running transfer, from its events: for the progress display and the metrics. */
import type { State, TransferEvent } from '../peer/api.ts';

export interface Lane {
  kind: string;
  /** `host:port` of the other end. */
  remote: string;
}

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
  /** Seconds left. */
  eta: number | undefined;
  files = 0;
  fileCount: number | undefined;
  file: string | undefined;
  readonly lanes = new Map<number, Lane>();

  apply(event: TransferEvent): void {
    switch (event.event) {
      case 'state':
        this.state = event.to;
        if (event.to === 'paused' || event.to === 'connecting') this.rate = 0;
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
        if (event.status === 'open') this.lanes.set(event.id, { kind: event.kind, remote: event.remote });
        else this.lanes.delete(event.id);
        break;
      case 'progress':
        this.bytes = event.bytes;
        this.total = event.total ?? undefined;
        this.rate = event.rate;
        this.eta = event.eta ?? undefined;
        this.files = event.files;
        this.file = event.file;
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
    if (this.total === undefined) return undefined;
    if (this.bytes >= this.total) return 100;
    return Math.min(99, Math.floor((this.bytes / this.total) * 100));
  }
}

/** '4 lanes, tcp 192.168.1.7'; the most used path stands for the rest: '4 lanes, tcp 192.168.1.7 and 1 relay'. */
export function describeLanes(lanes: ReadonlyMap<number, Lane>): string {
  if (lanes.size === 0) return '';
  const paths = new Map<string, number>();
  for (const lane of lanes.values()) {
    const path = `${lane.kind} ${lane.remote.replace(/:\d+$/, '')}`;
    paths.set(path, (paths.get(path) ?? 0) + 1);
  }
  const [first, ...others] = [...paths].sort((a, b) => b[1] - a[1]);
  const more = others.length === 0 ? '' : ` and ${others.length} other path${others.length === 1 ? '' : 's'}`;
  return `${lanes.size} lane${lanes.size === 1 ? '' : 's'}, ${first![0]}${more}`;
}
