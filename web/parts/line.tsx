/** The straight line between two devices: what this page is about, and how far it is. */
import type { ComponentChildren } from 'preact';
import { type DeviceKind, deviceKind, deviceName } from '../model/device.ts';
import type { TransferShown } from '../model/running.ts';
import { say } from '../words/index.ts';
import { Icon } from './icons.tsx';

export interface LineEnd {
  label: string;
  kind: DeviceKind;
  /** This very device. */
  here?: boolean;
}

/** `waits`: the other end is not there. `meets`: it is looked for. `runs`, `holds`: paused. `lost`: looked for again. */
export type Motion = 'waits' | 'meets' | 'runs' | 'holds' | 'lost' | 'done';

/** A finger is what this device is worked with. */
const isPhone = (): boolean => matchMedia('(pointer: coarse) and (max-width: 40rem)').matches;

export const thisDevice = (): LineEnd => ({
  label: say('device.here'),
  kind: isPhone() ? 'phone' : 'computer',
  here: true,
});

/** From whoever sends to whoever receives. @param children what stands on the line, as the progress */
export function Line(props: { from: LineEnd; to: LineEnd; motion: Motion; children?: ComponentChildren }) {
  const { from, to, motion, children } = props;
  return (
    <div class={`line ${motion}`}>
      <Place end={from} />
      <div class="wire">{children ?? <span class="thread" aria-hidden="true" />}</div>
      <Place end={to} arrived={motion === 'done'} />
    </div>
  );
}

/** The line of a transfer, whose other end is who was met there, or several. */
export function Between(props: { running: TransferShown; motion: Motion; children?: ComponentChildren }) {
  const { running, motion, children } = props;
  const { role, several, peer } = running;
  const other: LineEnd = several
    ? { label: say('device.several'), kind: 'people' }
    : { label: deviceName(peer) ?? say('device.there'), kind: deviceKind(peer) };
  const [from, to] = role === 'send' ? [thisDevice(), other] : [other, thisDevice()];
  return <Line {...{ from, to, motion, children }} />;
}

function Place({ end, arrived = false }: { end: LineEnd; arrived?: boolean }) {
  const { label, kind, here = false } = end;
  return (
    <p class={here ? 'end here' : 'end'}>
      <span class={`disc ${kind}`}>
        <Icon name={kind} />
        {arrived && (
          <span class="arrived">
            <Icon name="check" />
          </span>
        )}
      </span>
      <bdi>{label}</bdi>
    </p>
  );
}
