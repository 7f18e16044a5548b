/** What a person should know of, though it goes on. */
import type { ComponentChildren } from 'preact';
import { type WarningShown, warningMessage, warningWords } from '../model/warnings.ts';
import { say, sayWith } from '../words/index.ts';
import { English } from './basics.tsx';

function Warning({ warning }: { warning: WarningShown }) {
  const { receiver } = warning;
  const told = warningWords(warning, (name) => <bdi>{name}</bdi>) ?? (
    <English text={warningMessage(warning)} />
  );
  if (receiver === undefined) return <li>{told}</li>;
  return (
    <li>{sayWith<'several.named', ComponentChildren>('several.named', { number: receiver, name: told })}</li>
  );
}

export function Warnings({ warnings }: { warnings: readonly WarningShown[] }) {
  if (warnings.length === 0) return null;
  return (
    <div class="card" role="status">
      <h2>{say('warnings')}</h2>
      <ul class="warnings">
        {warnings.map((warning, index) => (
          <Warning key={index} warning={warning} />
        ))}
      </ul>
    </div>
  );
}
