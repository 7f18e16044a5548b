import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Button } from './button.tsx';

/** Milliseconds for which a button says that it did its work. */
const SHOWN = 4000;

interface Props {
  text: string;
  label: string;
  primary?: boolean;
}

/** A button that copies a text, and says how that went. */
export function Copy({ text, label, primary = false }: Props): JSX.Element {
  const [outcome, setOutcome] = useState('');
  useEffect(() => {
    if (outcome === '') return;
    const timer = setTimeout(() => setOutcome(''), SHOWN);
    return () => clearTimeout(timer);
  }, [outcome]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setOutcome('Copied');
    } catch {
      setOutcome('The browser did not allow it: select and copy it by hand.');
    }
  };
  return (
    <>
      <Button label={label} kind={primary ? 'primary' : undefined} act={copy} />
      <span role="status" class="outcome">
        {outcome}
      </span>
    </>
  );
}
