import { type History, linePath } from '../model/history.ts';
import { say } from '../words/index.ts';

const WIDTH = 320;
const HEIGHT = 48;

/** How fast it went from the beginning until now. Its figures stand beside it, so it is a picture only. */
export function Graph({ history }: { history: History }) {
  const line = linePath(history, WIDTH, HEIGHT);
  return (
    <svg
      class="graph"
      viewBox={`0 -2 ${WIDTH} ${HEIGHT + 4}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={say('running.graph')}
    >
      {line !== '' && <path class="area" d={`${line}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z`} />}
      {line !== '' && <path class="rate" d={line} />}
    </svg>
  );
}
