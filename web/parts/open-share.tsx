import { isPicture, openAs } from '../model/kinds.ts';
import { shortName } from '../model/words.ts';
import { say } from '../words/index.ts';
import { IconButton } from './basics.tsx';

/** Milliseconds that an address stays good: the tab that shows it may load it again for a while. */
const GOOD = 60_000;
/** Bytes of what is given to another app: all of it is read for that. */
const MOST_SHARED = 200_000_000;

/**
 * What can be done with one file that has arrived, without saving it first.
 * @param fault gets what did not work
 */
export function OpenAndShare(props: {
  name: string;
  bytes: number;
  blob: () => Promise<Blob>;
  fault: (thrown: unknown) => void;
}) {
  const { name, bytes, blob, fault } = props;
  const type = openAs(name);
  const shares = bytes <= MOST_SHARED && mayShare(name, type);
  const open = async () => {
    try {
      // As a type that no script is in, whatever the bytes are.
      const address = URL.createObjectURL(new Blob([await blob()], { type: plain(type!) }));
      window.open(address, '_blank', 'noopener');
      setTimeout(() => URL.revokeObjectURL(address), GOOD);
    } catch (thrown) {
      fault(thrown);
    }
  };
  const share = async () => {
    try {
      await navigator.share({ files: [new File([await blob()], name, { type: type ?? '' })] });
    } catch (thrown) {
      // The person chose no app after all.
      if (!(thrown instanceof DOMException && thrown.name === 'AbortError')) fault(thrown);
    }
  };
  return (
    <span class="actions">
      {type !== undefined && (
        <IconButton icon="open" label={say('completed.open', { name: shortName(name) })} act={open} />
      )}
      {shares && (
        <IconButton icon="share" label={say('completed.share', { name: shortName(name) })} act={share} />
      )}
    </span>
  );
}

const plain = (type: string): string => (type === 'text/plain' ? 'text/plain;charset=utf-8' : type);

/** Browsers share some kinds of files only; pictures are among them wherever files are. */
function mayShare(name: string, type: string | undefined): boolean {
  if (!('canShare' in navigator) || !(isPicture(name) || type !== undefined)) return false;
  return navigator.canShare({ files: [new File([], name, { type: type ?? '' })] });
}
