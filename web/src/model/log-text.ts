// A log that grows: finished lines in blocks that never change again, and the line being written.

import { ansiPieces, overwritten, type Piece, PLAIN, type Style } from "./ansi";

export interface LogBlock {
  /** Grows by one from block to block: a key. */
  number: number;
  lines: Piece[][];
}

export interface LogText {
  blocks: LogBlock[];
  /** The last line, not yet ended by a newline. */
  open: string;
  style: Style;
  lineCount: number;
  /** Lines that were let go at the front, so that the page stays light. */
  dropped: number;
  /** More has come than is kept of the beginning. */
  cut: boolean;
}

/** Which part of a log that is too long stays: a person reads on at its end, or began at its start. */
export type Kept = "start" | "end";

export const BLOCK_LINES = 200;
export const MOST_LINES = 20_000;

export const EMPTY_LOG: LogText = {
  blocks: [],
  open: "",
  style: PLAIN,
  lineCount: 0,
  dropped: 0,
  cut: false,
};

/** The log with more text at its end. */
export function append(log: LogText, text: string, kept: Kept = "end"): LogText {
  if (text === "" || log.cut) return log;
  const lines = (log.open + text).split("\n");
  let open = lines.pop() ?? "";
  const room = kept === "start" ? MOST_LINES - log.lineCount : lines.length;
  const cut = lines.length > room;
  if (cut) {
    lines.length = room;
    open = "";
  }
  let style = log.style;
  const finished = lines.map((line) => {
    const drawn = ansiPieces(overwritten(line), style);
    style = drawn.style;
    return drawn.pieces;
  });
  const blocks = withLines(log.blocks, finished);
  const lineCount = log.lineCount + finished.length;
  return dropFront({ ...log, blocks, open, style, lineCount, cut });
}

/** The open line as it is shown now. */
export function openLine(log: LogText): Piece[] {
  return ansiPieces(overwritten(log.open), log.style).pieces;
}

function withLines(blocks: LogBlock[], lines: Piece[][]): LogBlock[] {
  if (lines.length === 0) return blocks;
  const found = [...blocks];
  let rest = lines;
  const last = found.at(-1);
  if (last && last.lines.length < BLOCK_LINES) {
    const room = BLOCK_LINES - last.lines.length;
    found[found.length - 1] = { ...last, lines: [...last.lines, ...rest.slice(0, room)] };
    rest = rest.slice(room);
  }
  for (let from = 0; from < rest.length; from += BLOCK_LINES) {
    const number = (found.at(-1)?.number ?? -1) + 1;
    found.push({ number, lines: rest.slice(from, from + BLOCK_LINES) });
  }
  return found;
}

function dropFront(log: LogText): LogText {
  const held = log.blocks.reduce((total, block) => total + block.lines.length, 0);
  if (held <= MOST_LINES) return log;
  let over = held - MOST_LINES;
  let first = 0;
  let dropped = log.dropped;
  while (over > 0 && first < log.blocks.length) {
    const size = log.blocks[first]?.lines.length ?? 0;
    over -= size;
    dropped += size;
    first += 1;
  }
  return { ...log, blocks: log.blocks.slice(first), dropped };
}
