/** Functions that are called when something happens: those that the library's user gave, and those of many who want to know the same. */

type Callback<A extends unknown[]> = (...args: A) => unknown;

/**
 * The same function, which neither throws nor leaves a rejected promise. What it threw goes to the console, the
 * first time only: a listener that fails at each progress would fill it.
 * @param what names it to whoever wrote it
 */
export function harmless<A extends unknown[]>(what: string, callback: Callback<A>): (...args: A) => void {
  let told = false;
  const failed = (thrown: unknown) => {
    if (told) return;
    told = true;
    console.error(`beeline: ${what} failed, and what runs here goes on.`, thrown);
  };
  return (...args) => {
    try {
      const result = callback(...args);
      // By its type, an async function may be one that returns nothing.
      if (result instanceof Promise) result.catch(failed);
    } catch (thrown) {
      failed(thrown);
    }
  };
}

/**
 * One watch for all who want to know the same: it runs while there is anybody, and tells all of them in one turn.
 * @param watch tells what it sees until the function that it returns is called
 * @returns adds one who is told, until the function that this returns is called
 */
export function sharedWatch<A extends unknown[]>(
  watch: (tell: (...news: A) => void) => () => void,
): (told: (...news: A) => void) => () => void {
  const all = new Set<(...news: A) => void>();
  let stop: (() => void) | undefined;
  return (told) => {
    const one = (...news: A) => told(...news);
    all.add(one);
    stop ??= watch((...news) => {
      for (const each of [...all]) if (all.has(each)) each(...news);
    });
    return () => {
      if (!all.delete(one) || all.size > 0) return;
      stop?.();
      stop = undefined;
    };
  };
}

/** Does once what several ask for in one turn. */
export function oncePerTurn(act: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    void Promise.resolve().then(() => {
      done = false;
    });
    act();
  };
}
