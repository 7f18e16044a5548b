/** What happened in one torture, and how it is told if it fails. */

export interface Story {
  /** What happened, in order, for the report of a failure. */
  lines: string[];
  kills: number;
  /** Bytes that later runs did not have to move again. */
  resumed: number;
}

interface Torture {
  readonly story: Story;
  readonly workspace: { dispose(): void | Promise<void> };
  run(): Promise<void>;
}

/** Runs it and cleans up. A failure says its name, and all that happened before. */
export async function told(name: string, torture: Torture): Promise<Story> {
  try {
    await torture.run();
    return torture.story;
  } catch (error) {
    const text = error instanceof Error ? error.stack : String(error);
    throw new Error(`${name}\n${torture.story.lines.join('\n')}\n${text}`, { cause: error });
  } finally {
    await torture.workspace.dispose();
  }
}
