// One request to the server: token in the header, faults as `ApiError` with the server's words.

import { askForToken, token } from "./session";
import type { Problem, ProblemDocument } from "./types";

export type Query = Record<
  string,
  string | number | boolean | null | undefined | readonly string[]
>;

/** What the server, or the way to it, has refused; `status` 0 means that nobody answered. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint: string | null;
  readonly problems: readonly Problem[];

  constructor(status: number, problem: ProblemDocument) {
    super(problem.detail || problem.title || `The server answered ${status}`);
    this.status = status;
    this.code = problem.code ?? "";
    this.hint = problem.hint ?? null;
    this.problems = problem.problems ?? [];
  }
}

/** An address of the API with its query; members that are empty are left out. */
export function address(path: string, query: Query = {}): string {
  const pairs = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value === null || value === undefined || value === "") continue;
    if (Array.isArray(value)) for (const one of value) pairs.append(key, one);
    else pairs.append(key, String(value));
  }
  const text = pairs.toString();
  return `/api/v2${path}${text ? `?${text}` : ""}`;
}

/** The answer to a request, its status checked. */
export async function send(url: string, options: RequestInit = {}): Promise<Response> {
  const headers = new Headers(options.headers);
  const secret = token();
  if (secret) headers.set("Authorization", `Bearer ${secret}`);
  const answer = await fetch(url, { ...options, headers }).catch((error: unknown) => {
    if (options.signal?.aborted) throw error;
    throw new ApiError(0, {
      code: "no_answer",
      detail: "The server does not answer.",
      hint: "Is `segue serve` running, and is this machine online?",
    });
  });
  if (answer.ok) return answer;
  if (answer.status === 401) askForToken();
  throw new ApiError(answer.status, await problemOf(answer));
}

/** What is at an address, as JSON. */
export async function get<Answer>(url: string, signal?: AbortSignal): Promise<Answer> {
  const answer = await send(url, {
    headers: { Accept: "application/json" },
    ...(signal ? { signal } : {}),
  });
  return (await answer.json()) as Answer;
}

/** Send JSON; the answer as JSON, or undefined where the server has nothing to say. */
export async function post<Answer>(
  url: string,
  body: unknown,
  options: { method?: string; headers?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<Answer> {
  const answer = await send(url, {
    method: options.method ?? "POST",
    headers: { "Content-Type": "application/json", ...options.headers },
    body: body === undefined ? null : JSON.stringify(body),
    ...(options.signal ? { signal: options.signal } : {}),
  });
  const text = await answer.text();
  return (text ? JSON.parse(text) : undefined) as Answer;
}

async function problemOf(answer: Response): Promise<ProblemDocument> {
  const text = await answer.text().catch(() => "");
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null) return parsed as ProblemDocument;
  } catch {
    // Not every fault is told by our server: a proxy between may answer with a page.
  }
  return { title: `${answer.status} ${answer.statusText}`.trim() };
}
