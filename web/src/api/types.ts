// What the HTTP API (/api/v2) sends. Times are RFC 3339 UTC, durations seconds.

export type TaskState =
  | "waiting"
  | "ready"
  | "submitting"
  | "submitted"
  | "running"
  | "succeeded"
  | "failed"
  | "skipped"
  | "cancelled";

export type RunState = "running" | "paused" | "succeeded" | "failed" | "cancelled";

export type Cause =
  | "exit_code"
  | "signal"
  | "timed_out"
  | "out_of_memory"
  | "node_failure"
  | "preempted"
  | "lost"
  | "refused"
  | "unreachable"
  | "bad_output"
  | "cancelled"
  | "upstream_failed"
  | "rule_not_met";

export type Counts<State extends string> = Partial<Record<State, number>>;

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface Problem {
  code: string;
  message: string;
  path?: string | null;
  line?: number | null;
  column?: number | null;
  pointer?: string | null;
  hint?: string | null;
  severity?: "error" | "warning";
}

export interface ProblemDocument {
  title?: string;
  status?: number;
  code?: string;
  detail?: string;
  hint?: string | null;
  problems?: Problem[];
}

export interface RunSummary {
  id: string;
  number: number;
  workflow: string;
  dialect: string;
  state: RunState;
  cancelling: boolean;
  tags: Record<string, string>;
  description: string | null;
  pool: string | null;
  source: string | null;
  continues: string | null;
  createdAt: string;
  startedAt: string | null;
  endedAt: string | null;
  updatedAt: string;
  counts: Counts<TaskState>;
  taskCount: number;
  limit: number | null;
  priority: number;
  engine: { host: string; processId: number; alive: boolean } | null;
  /** Why no engine could take the run up, and what helps. */
  problem: string | null;
  submittedBy: string | null;
}

export interface Run extends RunSummary {
  workspace: string | null;
  directory: string | null;
  restartLimit: number | null;
  slots: number | null;
  verdict: string | null;
  parameters: Record<string, Json>;
  warnings: (Problem | string)[];
  continuedBy: string | null;
}

export interface RunPage {
  runs: RunSummary[];
  nextCursor: string | null;
  stateCounts: Counts<RunState>;
}

export interface TaskRow {
  name: string;
  template: string;
  position: number;
  state: TaskState;
  cause: Cause | null;
  attempts: number;
  held: boolean;
  startedAt: string | null;
  endedAt: string | null;
  submittedAt: string | null;
  durationSeconds: number | null;
  waitSeconds: number | null;
  exitCode: number | null;
  signal: number | null;
  cpuSeconds: number | null;
  peakRssBytes: number | null;
  place: string | null;
  node: string | null;
  notBefore: string | null;
}

export interface TaskPage {
  tasks: TaskRow[];
  nextCursor: string | null;
  stateCounts: Counts<TaskState>;
}

export interface Neighbour {
  name: string;
  state: TaskState;
  kind: "task" | "barrier";
  tasks: number;
}

export interface Attempt {
  number: number;
  state: TaskState | string;
  cause: Cause | null;
  exitCode: number | null;
  signal: number | null;
  submittedAt: string | null;
  startedAt: string | null;
  endedAt: string | null;
  durationSeconds: number | null;
  waitSeconds: number | null;
  place: string | null;
  node: string | null;
  jobId: string | null;
  cpuSeconds: number | null;
  peakRssBytes: number | null;
  message: string | null;
  restarted: boolean;
  stdoutBytes: number | null;
  stderrBytes: number | null;
  outputGone: boolean;
}

export interface Task extends TaskRow {
  definition: Json;
  action: { kind: string; text?: string | null; arguments?: string[] | null } | null;
  parameters: Record<string, Json>;
  needs: Neighbour[];
  needCount: number;
  dependents: Neighbour[];
  dependentCount: number;
  trigger: string;
  retry: Record<string, Json> | null;
  resources: Record<string, Json> | null;
  why: { sentence: string; hints: string[] } | null;
  attemptList: Attempt[];
  generatedBy: string | null;
}

export interface HistoryLine {
  number: number;
  at: string;
  kind: "step" | "run" | "command" | "engine" | "remark";
  task: string | null;
  attempt: number | null;
  old: string | null;
  new: string | null;
  detail: string | null;
}

export interface HistoryPage {
  history: HistoryLine[];
  next: number | null;
}

export interface GraphNode {
  id: string;
  label: string;
  kind: "template" | "task" | "more";
  template: string;
  tasks: number;
  states: Counts<TaskState>;
  trigger: string;
  generator: boolean;
}

export interface GraphEdge {
  from: string;
  to: string;
  count: number;
}

export interface Graph {
  level: "template" | "task";
  nodes: GraphNode[];
  edges: GraphEdge[];
  truncated: boolean;
}

export interface TimelineAttempt {
  number: number;
  submittedAt: string | null;
  startedAt: string | null;
  endedAt: string | null;
  state: string;
  cause: Cause | null;
}

export interface TimelineTaskRow {
  name: string;
  template: string;
  state: TaskState;
  attempts: TimelineAttempt[];
}

export interface TaskTimeline {
  from: string | null;
  to: string | null;
  rows: TimelineTaskRow[];
  nextCursor: string | null;
}

export interface TimelineTemplateRow {
  template: string;
  tasks: number;
  firstStartedAt: string | null;
  lastEndedAt: string | null;
  waiting: number[];
  running: number[];
  failed: number[];
  ended: number[];
}

export interface TemplateTimeline {
  from: string | null;
  to: string | null;
  binSeconds: number;
  rows: TimelineTemplateRow[];
}

export interface Progress {
  from: string | null;
  to: string | null;
  binSeconds: number;
  states: Partial<Record<TaskState, number[]>>;
  ended: number[];
  failed: number[];
  ratePerSecond: number;
  estimatedEndAt: string | null;
}

export interface Pool {
  name: string;
  executor: string;
  default: boolean;
  limit: number | null;
  running: number;
  submitted: number;
  ready: number;
  problem: string | null;
}

/** What was asked of many tasks: of so many, and the names of those that stay as they are. */
export interface ManyAsked {
  run: RunSummary;
  asked: number;
  leftOut: string[];
}

/** A runner as it was last heard; `said` is what went wrong with it last. */
export interface Runner {
  url: string;
  hostname: string;
  reachable: boolean;
  said: string;
  total: Record<string, number>;
  free: Record<string, number>;
  running: number;
  enforced: boolean;
  version: string;
}

export interface PoolRunners {
  pool: string;
  waiting: number;
  runners: Runner[];
}

export interface ServerFacts {
  version: string;
  host: string;
  processId: number;
  startedAt: string;
  store: string;
  role: Role;
  user: string | null;
  authRequired: boolean;
  dialects: string[];
  bodyLimitBytes: number;
  engine: { alive: boolean; runs: number } | null;
}

export type Role = "viewer" | "operator" | "admin";

export interface Submission {
  document: string;
  path?: string;
  dialect?: string;
  parameters?: Record<string, Json>;
  facts?: Record<string, Json>;
  files?: Record<string, string>;
  options?: { config?: string };
  pool?: string;
  limit?: number;
  priority?: number;
  tags?: Record<string, string>;
  paused?: boolean;
}

export interface Validation {
  valid: boolean;
  dialect: string | null;
  workflow: string | null;
  taskCount: number | null;
  problems: Problem[];
  graph: Graph | null;
}

export interface Submitted {
  id: string;
  state: RunState;
  taskCount: number;
  warnings: Problem[];
}

export interface TaskPatch {
  command?: string[];
  script?: string;
  environment?: Record<string, string | null>;
  timeoutSeconds?: number;
  maxRetries?: number;
  retryIntervalSeconds?: number;
  pool?: string;
}

export interface Requeue {
  tasks?: string[];
  onlyFailed?: boolean;
  includeDescendants?: boolean;
  force?: boolean;
  patch?: Record<string, TaskPatch> | TaskPatch;
}
