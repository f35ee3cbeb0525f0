// What happens on the server, as it happens.

import { useEffect, useRef, useState } from "react";
import { runEventsAddress } from "../api/endpoints";
import { followEvents, type LiveStatus, type ServerEvent } from "../api/event-stream";
import type { HistoryLine, RunSummary } from "../api/types";
import { useVisible } from "./use-clock";
import { useSession } from "./use-session";

/** Follow a stream of events while the tab is in view. */
export function useEvents(path: string | null, take: (event: ServerEvent) => void): LiveStatus {
  const [status, setStatus] = useState<LiveStatus>("connecting");
  const visible = useVisible();
  const session = useSession();
  const newest = useRef(take);
  newest.current = take;

  // biome-ignore lint/correctness/useExhaustiveDependencies: another person's stream is another one.
  useEffect(() => {
    if (path === null || !visible) return;
    const abort = new AbortController();
    void followEvents(path, (event) => newest.current(event), setStatus, abort.signal);
    return () => abort.abort();
  }, [path, visible, session]);
  return status;
}

export interface RunFeed {
  status: LiveStatus;
  summary: RunSummary | null;
  /** Grows with everything that happens in the run: views fetch anew when it has grown. */
  tick: number;
  /** The run was deleted while it was looked at. */
  removed: boolean;
  /** Calls back with each line of history that comes. */
  subscribe: (listener: (line: HistoryLine) => void) => () => void;
}

/** The run's own stream: its newest summary, and a tick for whoever wants to fetch anew. */
export function useRunFeed(id: string): RunFeed {
  const [summary, setSummary] = useState<RunSummary | null>(null);
  const [tick, setTick] = useState(0);
  const [removed, setRemoved] = useState<string | null>(null);
  const listeners = useRef(new Set<(line: HistoryLine) => void>());
  const visible = useVisible();
  const subscribe = useRef((listener: (line: HistoryLine) => void) => {
    listeners.current.add(listener);
    return () => {
      listeners.current.delete(listener);
    };
  });
  const status = useEvents(removed === id ? null : runEventsAddress(id), (event) => {
    if (event.event === "run") setSummary(JSON.parse(event.data) as RunSummary);
    if (event.event === "removed") setRemoved(id);
    if (event.event === "history") {
      const line = JSON.parse(event.data) as HistoryLine;
      for (const listener of listeners.current) listener(line);
    }
    setTick((count) => count + 1);
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: a tab that was hidden, or cut off, has missed something.
  useEffect(() => setTick((count) => count + 1), [visible, status]);
  return {
    status,
    summary: summary?.id === id ? summary : null,
    tick,
    removed: removed === id,
    subscribe: subscribe.current,
  };
}
