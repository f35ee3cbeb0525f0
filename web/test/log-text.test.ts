import { describe, expect, it } from "vitest";
import { append, BLOCK_LINES, EMPTY_LOG, MOST_LINES, openLine } from "../src/model/log-text";

const lineTexts = (log: typeof EMPTY_LOG) =>
  log.blocks.flatMap((block) =>
    block.lines.map((pieces) => pieces.map((piece) => piece.text).join("")),
  );
const numbered = (count: number) =>
  Array.from({ length: count }, (_, index) => `line ${index}\n`).join("");

describe("a log that grows", () => {
  it("has the same lines in whatever pieces it comes", () => {
    const text = "one\ntwo\r\nthree\n\nfive";
    const pieces = [...text].reduce((log, piece) => append(log, piece), EMPTY_LOG);

    expect(lineTexts(pieces)).toEqual(["one", "two", "three", ""]);
    expect(lineTexts(append(EMPTY_LOG, text))).toEqual(lineTexts(pieces));
    expect(openLine(pieces).map((piece) => piece.text)).toEqual(["five"]);
  });

  it("never changes a block that is full", () => {
    const before = append(EMPTY_LOG, numbered(BLOCK_LINES + 1));
    const after = append(before, numbered(3));

    expect(after.blocks[0]).toBe(before.blocks[0]);
    expect(after.blocks[1]).not.toBe(before.blocks[1]);
    expect(after.blocks.map((block) => block.number)).toEqual([0, 1]);
  });

  it("lets its oldest lines go when there are too many, and counts them", () => {
    const log = append(EMPTY_LOG, numbered(MOST_LINES + 10));

    const held = lineTexts(log);
    expect(held.length).toBeLessThanOrEqual(MOST_LINES);
    expect(held.at(-1)).toBe(`line ${MOST_LINES + 9}`);
    expect(held[0]).toBe(`line ${log.dropped}`);
    expect(log.lineCount).toBe(MOST_LINES + 10);
  });

  it("keeps the beginning where that was asked for, and says that there is more", () => {
    const whole = append(EMPTY_LOG, numbered(MOST_LINES), "start");
    const log = append(append(whole, numbered(10), "start"), numbered(10), "start");

    expect(whole.cut).toBe(false);
    expect(log.cut).toBe(true);
    expect(log.dropped).toBe(0);
    expect(log.lineCount).toBe(MOST_LINES);
    expect(lineTexts(log)).toEqual(lineTexts(whole));
    expect(log.open).toBe("");
  });

  it("carries a colour from line to line", () => {
    const log = append(EMPTY_LOG, "\u001b[31mred\nstill red\u001b[0m\nplain\n");

    const colours = log.blocks[0]?.lines.map((pieces) => pieces[0]?.style.foreground);
    expect(colours).toEqual([1, 1, null]);
  });
});
