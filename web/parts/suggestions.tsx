import { useEffect, useState } from 'preact/hooks';
import { arrived, type PageEngine } from '../engine.ts';
import { say } from '../words/index.ts';

/** What goes onto the field, and what stands below it. */
interface Suggested {
  field: {
    role: 'combobox';
    'aria-autocomplete': 'list';
    'aria-expanded': boolean;
    'aria-controls': string | undefined;
    'aria-activedescendant': string | undefined;
    onKeyDown(event: KeyboardEvent): void;
    onBlur(): void;
  };
  list: preact.ComponentChildren;
}

const LIST = 'code-words';
/** Words that are shown at once. */
const MOST = 5;
const idOf = (index: number) => `${LIST}-${index}`;

/** The words with which a code that is being typed may go on, or that were perhaps meant. @param accept gets the whole text */
export function useSuggestions(text: string, accept: (text: string) => void): Suggested {
  const [engine, setEngine] = useState<PageEngine>();
  const [chosen, setChosen] = useState(-1);
  /** The text for which the person wants none. */
  const [closed, setClosed] = useState<string>();
  useEffect(() => {
    let over = false;
    void arrived.then((loaded) => over || setEngine(loaded));
    return () => {
      over = true;
    };
  }, []);
  const { before, words } = engine?.completionOf(text, MOST) ?? { before: '', words: [] };
  const open = words.length > 0 && closed !== text;
  const at = open && chosen < words.length ? chosen : -1;
  const take = (word: string) => {
    setChosen(-1);
    setClosed(before + word);
    accept(before + word);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (!open) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    // Behind the last comes the field itself, and then the first.
    if (step !== undefined) setChosen(((at + 1 + step + words.length + 1) % (words.length + 1)) - 1);
    else if (event.key === 'Escape') setClosed(text);
    else if (event.key === 'Enter' && at >= 0) take(words[at]!);
    else return;
    event.preventDefault();
  };
  return {
    field: {
      role: 'combobox',
      'aria-autocomplete': 'list',
      'aria-expanded': open,
      'aria-controls': open ? LIST : undefined,
      'aria-activedescendant': at >= 0 ? idOf(at) : undefined,
      onKeyDown,
      onBlur: () => setClosed(text),
    },
    list: open && (
      <div id={LIST} role="listbox" aria-label={say('code.words')} class="suggestions">
        {words.map((word, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the field has the focus, and its keys choose
          <div
            key={word}
            id={idOf(index)}
            role="option"
            aria-selected={index === at}
            tabIndex={-1}
            // The field keeps the focus. A finger that scrolls chooses nothing.
            onMouseDown={(event: MouseEvent) => event.preventDefault()}
            onClick={() => take(word)}
          >
            {word}
          </div>
        ))}
      </div>
    ),
  };
}
