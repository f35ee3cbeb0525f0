// Each route of the API as a function. Names stand URL-encoded in paths.

import { address, get, post, type Query } from "./client";
import type {
  Graph,
  HistoryPage,
  ManyAsked,
  Pool,
  PoolRunners,
  Progress,
  Requeue,
  Run,
  RunPage,
  RunSummary,
  ServerFacts,
  Submission,
  Submitted,
  Task,
  TaskPage,
  TaskRow,
  TaskTimeline,
  TemplateTimeline,
  Validation,
} from "./types";

type Signal = AbortSignal | undefined;

const run = (id: string) => `/runs/${encodeURIComponent(id)}`;
const task = (id: string, name: string) => `${run(id)}/tasks/${encodeURIComponent(name)}`;

export type LogStream = "stdout" | "stderr" | "executor-log";

export const fetchServer = (signal?: Signal) => get<ServerFacts>(address("/server"), signal);

export const fetchPools = (signal?: Signal) => get<{ pools: Pool[] }>(address("/pools"), signal);

export const fetchRunners = (pool: string, signal?: Signal) =>
  get<PoolRunners>(address(`/pools/${encodeURIComponent(pool)}/runners`), signal);

export const fetchRuns = (query: Query, signal?: Signal) =>
  get<RunPage>(address("/runs", query), signal);

export const fetchRun = (id: string, signal?: Signal) => get<Run>(address(run(id)), signal);

export const fetchTasks = (id: string, query: Query, signal?: Signal) =>
  get<TaskPage>(address(`${run(id)}/tasks`, query), signal);

export const fetchTask = (id: string, name: string, signal?: Signal) =>
  get<Task>(address(task(id, name)), signal);

export const fetchGraph = (id: string, templates: readonly string[], signal?: Signal) =>
  get<Graph>(address(`${run(id)}/graph`, { level: "template", template: templates }), signal);

export const fetchTaskTimeline = (id: string, query: Query, signal?: Signal) =>
  get<TaskTimeline>(address(`${run(id)}/timeline`, { ...query, level: "task" }), signal);

export const fetchTemplateTimeline = (id: string, query: Query, signal?: Signal) =>
  get<TemplateTimeline>(address(`${run(id)}/timeline`, { ...query, level: "template" }), signal);

export const fetchProgress = (id: string, bins: number, signal?: Signal) =>
  get<Progress>(address(`${run(id)}/progress`, { bins }), signal);

export const fetchHistory = (id: string, query: Query, signal?: Signal) =>
  get<HistoryPage>(address(`${run(id)}/history`, query), signal);

export const specAddress = (id: string) => address(`${run(id)}/spec`);

export const runEventsAddress = (id: string) => `${run(id)}/events`;

export const logAddress = (
  id: string,
  name: string,
  attempt: number | "latest",
  stream: LogStream,
  query: Query = {},
) => address(`${task(id, name)}/attempts/${attempt}/${stream}`, query);

export const pauseRun = (id: string) => act<RunSummary>(`${run(id)}:pause`);
export const resumeRun = (id: string) => act<RunSummary>(`${run(id)}:resume`);
export const killRun = (id: string, reason: string) =>
  act<RunSummary>(`${run(id)}:kill`, { reason });
export const requeueRun = (id: string, wish: Requeue) =>
  act<RunSummary>(`${run(id)}:requeue`, wish);
export const deleteRun = (id: string) =>
  post<void>(address(run(id)), undefined, { method: "DELETE" });

export const killTask = (id: string, name: string, reason: string) =>
  act<TaskRow>(`${task(id, name)}:kill`, { reason });
export const holdTask = (id: string, name: string) => act<TaskRow>(`${task(id, name)}:hold`);
export const releaseTask = (id: string, name: string) => act<TaskRow>(`${task(id, name)}:release`);
export const markCompleted = (id: string, name: string, reason: string) =>
  act<TaskRow>(`${task(id, name)}:markCompleted`, { reason });

/** One request, and one command, for at most a thousand tasks; see `TasksVerb`. */
export const askMany = (id: string, verb: TasksVerb, names: string[], reason = "") =>
  act<ManyAsked>(`${run(id)}/tasks:${verb}`, { names, reason });

export type TasksVerb = "kill" | "hold" | "release" | "markCompleted";

export const validate = (submission: Submission, signal?: AbortSignal) =>
  post<Validation>(address("/runs:validate", { expand: 1 }), submission, signal ? { signal } : {});

/** Submit; the same with the same key, whether its answer was lost or not, is one run. */
export const submit = (submission: Submission, key: string) =>
  post<Submitted>(address("/runs"), submission, { headers: { "Idempotency-Key": key } });

/** A key that nobody has had before; `crypto.randomUUID` is only there on safe origins. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (each) => each.toString(16).padStart(2, "0")).join("");
}

const act = <Answer>(path: string, body: unknown = {}) => post<Answer>(address(path), body);
