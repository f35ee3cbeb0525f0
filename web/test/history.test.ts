import { describe, expect, it } from "vitest";
import type { HistoryLine } from "../src/api/types";
import { joined } from "../src/model/history";

const line = (number: number): HistoryLine => ({
  number,
  at: "",
  kind: "step",
  task: null,
  attempt: null,
  old: null,
  new: null,
  detail: null,
});
const numbers = (lines: HistoryLine[]) => lines.map((one) => one.number);

describe("a history", () => {
  it("grows at both ends, each line once", () => {
    const lines = joined([line(5), line(6)], [line(3), line(4), line(5)]);

    expect(numbers(joined(lines, [line(7), line(6)]))).toEqual([3, 4, 5, 6, 7]);
  });

  it("never has a hole", () => {
    expect(numbers(joined([line(1), line(2)], [line(9), line(10)]))).toEqual([9, 10]);
  });

  it("lets the oldest lines go", () => {
    const many = Array.from({ length: 6000 }, (_, index) => line(index + 1));

    expect(numbers(joined([], many))[0]).toBe(1001);
  });
});
