import { useCallback, useEffect, useState } from 'react';

export type Load<T> = { state: 'loading' } | { state: 'failed'; why: unknown } | { state: 'ready'; value: T };

/**
 * Runs `load` when the component appears and whenever `key` changes, and gives up the run before. `key` must name everything that `load`
 * depends on. The function that comes along runs it again.
 */
export function useLoad<T>(key: string, load: (signal: AbortSignal) => Promise<T>): [Load<T>, () => void] {
  const [found, setFound] = useState<{ key: string; load: Load<T> }>();
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    const settle = (load: Load<T>) => {
      if (!abort.signal.aborted) setFound({ key, load });
    };
    load(abort.signal).then(
      (value) => settle({ state: 'ready', value }),
      (why: unknown) => settle({ state: 'failed', why }),
    );
    return () => abort.abort();
    // `load` is a new function at every render; `key` says when it means something new.
  }, [key, attempt]);
  const again = useCallback(() => {
    setFound(undefined);
    setAttempt((attempt) => attempt + 1);
  }, []);
  // What belongs to the key before is not shown for this one, not even for one render.
  return [found?.key === key ? found.load : { state: 'loading' }, again];
}
