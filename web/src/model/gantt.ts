// The arithmetic of a time axis that can be zoomed and moved, and of the bars upon it.

import type { TimelineAttempt } from "../api/types";
import { parseTime } from "./times";

/** A stretch of time in milliseconds since 1970. */
export interface Span {
  from: number;
  to: number;
}

const LEAST_SPAN_MS = 50;

/** The span after a zoom by `factor` (below 1: closer) that keeps the time `at` where it is. */
export function zoomed(view: Span, factor: number, at: number, bounds: Span): Span {
  const whole = bounds.to - bounds.from;
  const width = Math.min(whole, Math.max(LEAST_SPAN_MS, (view.to - view.from) * factor));
  const share = (at - view.from) / Math.max(1, view.to - view.from);
  return within({ from: at - share * width, to: at + (1 - share) * width }, bounds);
}

/** The span moved by `milliseconds`, but not past the bounds. */
export function panned(view: Span, milliseconds: number, bounds: Span): Span {
  return within({ from: view.from + milliseconds, to: view.to + milliseconds }, bounds);
}

function within(view: Span, bounds: Span): Span {
  const width = Math.min(view.to - view.from, bounds.to - bounds.from);
  const from = Math.min(Math.max(view.from, bounds.from), bounds.to - width);
  return { from, to: from + width };
}

export interface Bar extends Span {
  /** The wait in a queue is drawn light, the run in the colour of its end. */
  kind: "queue" | "run";
  state: string;
  attempt: number;
}

/** The bars of a task: for each attempt its wait and its run; what has not ended reaches to now. */
export function barsOf(attempts: readonly TimelineAttempt[], now: number): Bar[] {
  return attempts.flatMap((attempt) => {
    const submitted = parseTime(attempt.submittedAt);
    const started = parseTime(attempt.startedAt);
    const ended = parseTime(attempt.endedAt) ?? now;
    const bars: Bar[] = [];
    const queueEnd = started ?? ended;
    if (submitted !== null && queueEnd > submitted) {
      const state = started === null ? attempt.state : "queue";
      bars.push({ kind: "queue", from: submitted, to: queueEnd, state, attempt: attempt.number });
    }
    if (started !== null) {
      const to = Math.max(started, ended);
      bars.push({ kind: "run", from: started, to, state: attempt.state, attempt: attempt.number });
    }
    return bars;
  });
}

/** The colour's name of an attempt: an attempt that will be tried again is stored as it ended. */
export function colourState(state: string): string {
  const known = [
    "running",
    "succeeded",
    "failed",
    "cancelled",
    "skipped",
    "submitted",
    "submitting",
  ];
  return known.includes(state) ? state : "failed";
}
