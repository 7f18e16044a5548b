import type { JSX } from 'preact';
import { escapeName } from '../../src/browser/index.ts';

export function Warnings({ warnings }: { warnings: readonly string[] }): JSX.Element | null {
  if (warnings.length === 0) return null;
  return (
    <div class="card" role="status">
      <h2>Good to know</h2>
      <ul class="warnings">
        {warnings.map((text, index) => (
          <li key={index}>{escapeName(text)}</li>
        ))}
      </ul>
    </div>
  );
}
