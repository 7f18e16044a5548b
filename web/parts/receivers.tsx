import { escapeName } from '../../src/browser/light.ts';
import { deviceName } from '../model/device.ts';
import { type ReceiverShown, type SeveralShown, standing } from '../model/several.ts';
import { shortPrint } from '../model/words.ts';
import { say, sayWith } from '../words/index.ts';
import { size } from '../words/numbers.ts';
import { Details, English, Fact } from './basics.tsx';

/** Characters that are shown of a name or a reason: both may be the other side's words. */
const MOST_NAME = 60;
const MOST_REASON = 300;

/** A row for each receiver. */
export function Receivers({ several }: { several: SeveralShown | undefined }) {
  const all = [...(several?.receivers.values() ?? [])];
  if (all.length === 0) return null;
  return (
    <section class="card" aria-labelledby="receivers">
      <h2 id="receivers">{say('several.title')}</h2>
      <ul class="kept rows">
        {all.map((one) => (
          <Row key={one.peer} one={one} />
        ))}
      </ul>
      <Details label={say('offer.verify')}>
        <dl>
          {all.map(({ peer, shown }) => (
            <Fact key={peer} id={`proof-${peer}`} name={say('several.one', { number: peer })}>
              <span class="hex">{shortPrint(shown.peer?.fingerprint ?? '')}</span>
            </Fact>
          ))}
        </dl>
      </Details>
    </section>
  );
}

function Row({ one }: { one: ReceiverShown }) {
  const { peer, shown, ended } = one;
  const { bytes, total, moving } = shown;
  const { name } = shown.peer ?? {};
  const device = name === undefined ? deviceName(shown.peer) : undefined;
  const failed = ended && !ended.ok;
  const id = `receiver-${peer}`;
  return (
    <li>
      <p class="meter">
        <span id={id} class="name">
          {name === undefined
            ? say('several.one', { number: peer })
            : sayWith('several.named', {
                number: peer,
                name: <bdi>{escapeName(name.slice(0, MOST_NAME))}</bdi>,
              })}
        </span>
        <span class={failed ? 'problem' : ''}>{standing(one)}</span>
      </p>
      {!ended && moving && <progress aria-labelledby={id} max={total || 1} value={bytes} />}
      {failed && (
        <p class="hint">
          <English text={escapeName((ended.message ?? '').slice(0, MOST_REASON))} />{' '}
          {say('several.got', { size: size(ended.bytes) })}
        </p>
      )}
      {device !== undefined && (
        <p class="hint">
          <bdi>{device}</bdi>
        </p>
      )}
    </li>
  );
}
