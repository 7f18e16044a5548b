import { useState } from 'preact/hooks';
import type { Page } from '../page.ts';
import { say } from '../words/index.ts';

/** People that can be counted on; for more there is any number. */
const MOST_PEOPLE = 20;

/** How many are to receive what is sent. */
export function People({ page }: { page: Page }) {
  const [wanted, setWanted] = useState(page.wanted);
  const change = ({ currentTarget: { value } }: { currentTarget: HTMLSelectElement }) => {
    page.wanted = value === 'any' ? value : Number(value);
    setWanted(page.wanted);
  };
  const numbers = Array.from({ length: MOST_PEOPLE - 1 }, (_, index) => index + 2);
  return (
    <div class="people">
      <label for="people">{say('people')}</label>
      <select id="people" value={wanted} onChange={change}>
        <option value={1}>{say('people.one')}</option>
        {numbers.map((number) => (
          <option key={number} value={number}>
            {say('people.some', { n: number })}
          </option>
        ))}
        <option value="any">{say('people.any')}</option>
      </select>
    </div>
  );
}
