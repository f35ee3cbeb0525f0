// What is fetched: the newest answer, its fault, and a way to ask again without a flicker.

import { useCallback, useState } from "react";
import { ApiError } from "../api/client";
import { useErrand } from "./use-errand";
import { useRetry } from "./use-retry";

export interface Resource<Value> {
  value: Value | null;
  error: ApiError | null;
  /** True until the first answer for this key. */
  loading: boolean;
  reload: () => void;
  replace: (value: Value) => void;
}

interface Held<Value> {
  key: string;
  value: Value | null;
  error: ApiError | null;
}

/** Fetch what `key` names, again whenever the key, `tick` or the person changes. `null` fetches nothing.
 * A value stays in view while it is fetched anew, and also when that fails: the error stands beside it. */
export function useResource<Value>(
  key: string | null,
  fetcher: (signal: AbortSignal) => Promise<Value>,
  tick = 0,
): Resource<Value> {
  const [held, setHeld] = useState<Held<Value> | null>(null);
  const [asked, setAsked] = useState(0);
  useErrand(key, tick, asked, async (signal) => {
    if (key === null) return;
    try {
      const value = await fetcher(signal);
      if (!signal.aborted) setHeld({ key, value, error: null });
    } catch (fault) {
      if (signal.aborted) return;
      setHeld((before) => ({
        key,
        value: before?.key === key ? before.value : null,
        error: asApiError(fault),
      }));
    }
  });

  const current = held?.key === key ? held : null;
  const reload = useCallback(() => setAsked((count) => count + 1), []);
  useRetry(current?.error ?? null, reload);
  return {
    value: current?.value ?? null,
    error: current?.error ?? null,
    loading: key !== null && current === null,
    reload,
    replace: useCallback(
      (value: Value) => key !== null && setHeld({ key, value, error: null }),
      [key],
    ),
  };
}

/** Any fault as one that can be shown; a bug of the page keeps its own words. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError(0, { detail: error instanceof Error ? error.message : String(error) });
}
