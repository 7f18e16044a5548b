/** Functions that the library's user gave. The user hears of their errors, which end nothing here. */

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
