// A list by cursor: the first page again and again while things change, more on request.

import { useCallback, useRef, useState } from "react";
import type { ApiError } from "../api/client";
import { type Pages, withFreshStart, withPage } from "../model/pages";
import { useErrand } from "./use-errand";
import { asApiError } from "./use-resource";
import { useRetry } from "./use-retry";

export interface PageOf<Row, Extra> extends Pages<Row> {
  extra: Extra;
}

export interface PagedList<Row, Extra> {
  rows: Row[];
  extra: Extra | null;
  hasMore: boolean;
  loading: boolean;
  loadingMore: boolean;
  error: ApiError | null;
  more: () => void;
  reload: () => void;
  change: (change: (pages: Pages<Row>) => Pages<Row>) => void;
}

interface Held<Row, Extra> extends Pages<Row> {
  key: string;
  extra: Extra;
}

/** The rows that `key` names. `fetchPage` gets the cursor and how many rows to ask for.
 * A new `tick` fetches what is in view anew, at most `most` rows of it. */
export function usePages<Row, Extra>(
  key: string,
  fetchPage: (
    cursor: string | null,
    limit: number,
    signal: AbortSignal,
  ) => Promise<PageOf<Row, Extra>>,
  keyOf: (row: Row) => string,
  { tick = 0, size = 50, most = 500 }: { tick?: number; size?: number; most?: number } = {},
): PagedList<Row, Extra> {
  const [held, setHeld] = useState<Held<Row, Extra> | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [loadingMore, setLoadingMore] = useState(false);
  const [asked, setAsked] = useState(0);
  const newest = useRef({ fetchPage, keyOf, held });
  newest.current = { fetchPage, keyOf, held };

  useErrand(`${key} ${size} ${most}`, tick, asked, async (signal) => {
    const before = newest.current.held?.key === key ? newest.current.held : null;
    const limit = Math.min(most, Math.max(size, before?.rows.length ?? 0));
    try {
      const page = await fetchPage(null, limit, signal);
      if (signal.aborted) return;
      setError(null);
      setHeld((now) => ({
        key,
        extra: page.extra,
        ...(now?.key === key ? withFreshStart(now, page, keyOf) : page),
      }));
    } catch (fault) {
      if (!signal.aborted) setError(asApiError(fault));
    }
  });

  const more = useCallback(() => {
    const before = newest.current.held;
    if (!before?.nextCursor) return;
    setLoadingMore(true);
    newest.current
      .fetchPage(before.nextCursor, size, new AbortController().signal)
      .then(
        (page) =>
          setHeld((now) =>
            now?.key === before.key
              ? { ...now, extra: page.extra, ...withPage(now, page, newest.current.keyOf) }
              : now,
          ),
        (fault: unknown) => setError(asApiError(fault)),
      )
      .finally(() => setLoadingMore(false));
  }, [size]);

  const reload = useCallback(() => setAsked((count) => count + 1), []);
  useRetry(error, reload);

  // While another filter's rows are fetched the old ones stay: a list that blinks cannot be read.
  return {
    rows: held?.rows ?? [],
    extra: held?.extra ?? null,
    hasMore: held?.key === key && held.nextCursor !== null,
    loading: held === null && error === null,
    loadingMore,
    error,
    more,
    reload,
    change: useCallback(
      (change: (pages: Pages<Row>) => Pages<Row>) =>
        setHeld((now) => (now ? { ...now, ...change(now) } : now)),
      [],
    ),
  };
}
