// A server that did not answer is asked again; one that said no is not.

import { useEffect, useRef } from "react";
import type { ApiError } from "../api/client";
import { useVisible } from "./use-clock";

const AGAIN_AFTER_MS = 3000;

/** Do `again` some seconds after a fault that was no answer, while somebody looks. A stream brings
 * its own view back, but not what was fetched once, as a history or a verdict. */
export function useRetry(error: ApiError | null, again: () => void): void {
  const visible = useVisible();
  const newest = useRef(again);
  newest.current = again;
  useEffect(() => {
    if (error?.status !== 0 || !visible) return;
    const timer = setTimeout(() => newest.current(), AGAIN_AFTER_MS);
    return () => clearTimeout(timer);
  }, [error, visible]);
}
