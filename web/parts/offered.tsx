import type { OfferSummary } from '../../src/browser/light.ts';
import { type TransferShown, withState } from '../model/running.ts';
import { FileList } from './file-list.tsx';

/** What somebody offers, as far as its names have come: of more, only how many there are. @param running how far each is */
export function Offered(props: {
  id: string;
  label: string;
  offer: Pick<OfferSummary, 'names' | 'sizes' | 'tops'>;
  running?: TransferShown;
  whole?: boolean;
}) {
  const { id, label, offer, running, whole = false } = props;
  const { names, sizes, tops } = offer;
  return (
    <FileList
      {...{ id, label, whole }}
      rows={names}
      row={(name, at) => {
        const row = { name, bytes: sizes?.[at] };
        return running ? withState(row, running) : row;
      }}
      hidden={Math.max(0, tops - names.length)}
    />
  );
}
