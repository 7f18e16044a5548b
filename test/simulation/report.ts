/** What comes of one run, whatever world it was of: told to whoever has to see it again. */
import { World } from './world.ts';

export interface Report {
  seed: number;
  /** What was wrong; empty if nothing was. */
  violations: readonly string[];
  scenario: string;
  trace: readonly string[];
  events: number;
  seconds: number;
  /** How it ended on both sides. */
  ended: string;
}

interface Told {
  readonly scenario: string;
  readonly ended: string;
  tell(): Promise<void>;
}

/** Runs a story under its seed, and takes down all that it broke. */
export async function reported(seed: number, begin: (world: World) => Told): Promise<Report> {
  const world = new World(seed);
  const story = begin(world);
  try {
    await story.tell();
  } catch (error) {
    world.violate(`thrown: ${error instanceof Error ? error.stack : error}`);
  }
  // What nobody caught is told only when the machine comes to rest.
  const loose = await looseEnds();
  for (const error of loose) world.violate(`nobody caught: ${error instanceof Error ? error.stack : error}`);
  return {
    seed,
    violations: world.violations,
    scenario: story.scenario,
    trace: world.trace,
    events: world.events,
    seconds: world.now,
    ended: story.ended,
  };
}

/** What a person needs to see it again. */
export function report({ seed, violations, scenario, trace, ended, seconds, events }: Report): string {
  const found = violations.map((text) => `  ${text}`).join('\n');
  const last = trace.map((line) => `    ${line}`).join('\n');
  return `seed ${seed}: ${ended}; ${seconds.toFixed(1)} s, ${events} events\n${found}\n  ${scenario}\n${last}`;
}

const loose: unknown[] = [];
process.on('unhandledRejection', (reason) => loose.push(reason));

/** Rejections that nobody caught, told at the latest when the machine comes to rest. */
async function looseEnds(): Promise<unknown[]> {
  await new Promise((resolve) => setImmediate(resolve));
  return loose.splice(0);
}
