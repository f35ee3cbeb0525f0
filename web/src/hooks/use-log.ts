import { useEffect, useRef, useState } from "react";
import type { ApiError } from "../api/client";
import { type LogWish, readLog } from "../api/log-stream";
import { append, EMPTY_LOG, type Kept, type LogText } from "../model/log-text";
import { useVisible } from "./use-clock";
import { asApiError } from "./use-resource";
import { useSession } from "./use-session";

export interface LogView {
  log: LogText;
  skippedBytes: number;
  totalBytes: number;
  status: "loading" | "following" | "reconnecting" | "ended";
  error: ApiError | null;
}

const NOTHING: LogView = {
  log: EMPTY_LOG,
  skippedBytes: 0,
  totalBytes: 0,
  status: "loading",
  error: null,
};

/** How often what has come is put into the page, in milliseconds. */
const SHOW_EVERY_MS = 100;

/** The log that is wished for, growing as it is read. `follow` counts only when reading begins. */
export function useLog(wish: LogWish): LogView {
  const [view, setView] = useState<LogView>(NOTHING);
  const visible = useVisible();
  const session = useSession();
  const newest = useRef(wish);
  newest.current = wish;
  const { run, task, attempt, stream, fromStart } = wish;

  // biome-ignore lint/correctness/useExhaustiveDependencies: these are the log; `follow` is not.
  useEffect(() => {
    if (!visible) return;
    const abort = new AbortController();
    // Who asks for the start of what has ended wants to read from there.
    const kept: Kept = fromStart && !newest.current.follow ? "start" : "end";
    let waiting = "";
    let timer: ReturnType<typeof setTimeout> | null = null;
    const show = () => {
      timer = null;
      const text = waiting;
      waiting = "";
      if (!abort.signal.aborted) setView((now) => ({ ...now, log: append(now.log, text, kept) }));
    };
    readLog(
      newest.current,
      {
        begin: (skippedBytes, totalBytes) => setView({ ...NOTHING, skippedBytes, totalBytes }),
        text: (text) => {
          waiting += text;
          timer ??= setTimeout(show, SHOW_EVERY_MS);
        },
        status: (status) => setView((now) => ({ ...now, status })),
      },
      abort.signal,
    ).catch((error: unknown) => setView({ ...NOTHING, status: "ended", error: asApiError(error) }));
    return () => {
      abort.abort();
      if (timer) clearTimeout(timer);
    };
  }, [run, task, attempt, stream, fromStart, visible, session]);
  return view;
}
