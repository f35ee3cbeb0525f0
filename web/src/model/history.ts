// Lines of a history, which are numbered without gaps.

import type { HistoryLine } from "../api/types";

/** The most lines that are held: the oldest go. */
export const MOST_LINES = 5000;

/** The lines with others before or behind them, in order and each once. Where there is a gap only
 * the newer part stays: a history with a hole would tell a wrong story. */
export function joined(
  lines: readonly HistoryLine[],
  added: readonly HistoryLine[],
): HistoryLine[] {
  const known = new Map([...lines, ...added].map((line) => [line.number, line]));
  const all = [...known.values()].sort((one, other) => one.number - other.number);
  const hole = all.findLastIndex(
    (line, index) => index > 0 && line.number !== (all[index - 1]?.number ?? 0) + 1,
  );
  return all.slice(Math.max(0, hole)).slice(-MOST_LINES);
}
