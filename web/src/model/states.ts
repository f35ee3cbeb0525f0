// The states in words and in order: what is over first, what is to come last.

import type { Cause, Counts, RunState, TaskState } from "../api/types";

/** The order in which states stand in bars, legends and filters. */
export const TASK_STATES: readonly TaskState[] = [
  "failed",
  "running",
  "submitted",
  "submitting",
  "ready",
  "waiting",
  "succeeded",
  "skipped",
  "cancelled",
];

/** In a progress bar the ends stand left, so that the bar fills from the left. */
export const BAR_STATES: readonly TaskState[] = [
  "succeeded",
  "failed",
  "cancelled",
  "skipped",
  "running",
  "submitted",
  "submitting",
  "ready",
  "waiting",
];

export const RUN_STATES: readonly RunState[] = [
  "running",
  "paused",
  "failed",
  "cancelled",
  "succeeded",
];

const FINAL: ReadonlySet<string> = new Set(["succeeded", "failed", "skipped", "cancelled"]);
const OUTSIDE: ReadonlySet<string> = new Set(["submitting", "submitted", "running"]);

/** Whether nothing more happens by itself. */
export const isFinal = (state: string): boolean => FINAL.has(state);

/** Whether an executor may hold a job of the task. */
export const isOutside = (state: string): boolean => OUTSIDE.has(state);

const CAUSES: Record<Cause, string> = {
  exit_code: "exit code",
  signal: "ended by a signal",
  timed_out: "timed out",
  out_of_memory: "out of memory",
  node_failure: "its node failed",
  preempted: "preempted",
  lost: "lost: nobody knows how it ended",
  refused: "refused by the executor",
  unreachable: "the executor could not be reached",
  bad_output: "its output could not be used",
  cancelled: "cancelled by a person",
  upstream_failed: "a need did not succeed",
  rule_not_met: "its trigger rule says no",
};

/** A cause as people say it. */
export const causeInWords = (cause: Cause): string => CAUSES[cause] ?? cause;

/** How an attempt ended, in a few words: "exit code 3", "signal 9", "timed out". */
export function endInWords(end: {
  cause: Cause | null;
  exitCode: number | null;
  signal: number | null;
}): string {
  if (end.cause === "signal" && end.signal !== null) return `signal ${end.signal}`;
  if (end.cause && end.cause !== "exit_code") return causeInWords(end.cause);
  if (end.exitCode !== null) return `exit code ${end.exitCode}`;
  return end.cause ? causeInWords(end.cause) : "";
}

/** The sum of some states' counts. */
export function sum<State extends string>(
  counts: Counts<State>,
  states: readonly State[] = Object.keys(counts) as State[],
): number {
  return states.reduce((total, state) => total + (counts[state] ?? 0), 0);
}

export interface Share {
  state: TaskState;
  count: number;
  /** Of the whole bar, 0 to 1. */
  fraction: number;
}

/** The parts of a bar: states that occur, in order; each at least `least` wide, so that one
 * failure among 100,000 tasks can be seen. */
export function shares(counts: Counts<TaskState>, least = 0.012): Share[] {
  const total = sum(counts);
  if (total === 0) return [];
  const found = BAR_STATES.filter((state) => (counts[state] ?? 0) > 0).map((state) => ({
    state,
    count: counts[state] ?? 0,
    fraction: Math.max(least, (counts[state] ?? 0) / total),
  }));
  const wide = found.reduce((whole, share) => whole + share.fraction, 0);
  return found.map((share) => ({ ...share, fraction: share.fraction / wide }));
}

/** "3 failed, 2 running": the counts of a bar for those who cannot see it. */
export function countsInWords(counts: Counts<TaskState>): string {
  const parts = TASK_STATES.filter((state) => (counts[state] ?? 0) > 0).map(
    (state) => `${(counts[state] ?? 0).toLocaleString("en")} ${state}`,
  );
  return parts.length > 0 ? parts.join(", ") : "no tasks";
}

/** The state that colours a group: the most urgent one that occurs. */
export function leadingState(counts: Counts<TaskState>): TaskState {
  const urgent: readonly TaskState[] = [
    "failed",
    "running",
    "submitted",
    "submitting",
    "ready",
    "waiting",
    "cancelled",
    "skipped",
  ];
  const found = urgent.find((state) => (counts[state] ?? 0) > 0);
  // Where some have ended and others wait, the group is under way.
  if (found === "waiting" && (counts.succeeded ?? 0) > 0) return "waiting";
  return found ?? "succeeded";
}

const TRIGGERS: Record<string, string> = {
  all_success: "all its needs have succeeded",
  any_success: "one of its needs has succeeded",
  all_completed: "all its needs have ended, however they ended",
  all_failed: "all its needs have failed",
  any_failed: "one of its needs has failed",
  always: "the first of its needs has ended",
};

/** When a trigger rule lets a task start. */
export const triggerInWords = (trigger: string): string =>
  TRIGGERS[trigger] ?? trigger.replaceAll("_", " ");
