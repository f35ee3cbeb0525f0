// Where problems stand in a text.

import type { Problem } from "../api/types";

/** The worst problem of each line of the document itself; those of other files are not its lines. */
export function problemLines(
  problems: readonly Problem[],
  path: string,
): Map<number, "error" | "warning"> {
  const lines = new Map<number, "error" | "warning">();
  for (const problem of problems) {
    if (!problem.line || !ofDocument(problem, path)) continue;
    const severity = problem.severity ?? "error";
    if (lines.get(problem.line) !== "error") lines.set(problem.line, severity);
  }
  return lines;
}

/** Whether a problem is of the document, not of a file that goes along with it. */
export function ofDocument(problem: Problem, path: string): boolean {
  if (!problem.path || !path) return true;
  return problem.path === path || problem.path.endsWith(`/${path}`);
}

/** The index of the first character of a line, counted from 1. */
export function lineStart(text: string, line: number): number {
  let at = 0;
  for (let current = 1; current < line; current += 1) {
    const next = text.indexOf("\n", at);
    if (next < 0) return at;
    at = next + 1;
  }
  return at;
}
