import { describe, expect, it } from "vitest";
import {
  bytes,
  duration,
  parseTime,
  relative,
  sinceStart,
  stillAhead,
  tickStep,
  ticks,
} from "../src/model/times";

describe("times", () => {
  it.each([
    ["2026-11-21T10:00:30Z", "2026-11-21T10:00:30Z"],
    ["2026-11-21T10:00:02Z", null],
    ["2026-11-21T09:59:58Z", null],
    [null, null],
  ])("an end at %s is told at ten as %s", (end, told) => {
    expect(stillAhead(end, Date.parse("2026-11-21T10:00:00Z"))).toBe(told);
  });

  it.each([
    [0, "now"],
    [12, "12 s ago"],
    [60, "1 min ago"],
    [3599, "59 min ago"],
    [7300, "2 h ago"],
    [86_400, "1 day ago"],
    [200_000, "2 days ago"],
    [-90, "in 1 min"],
  ])("%s seconds ago are told as %s", (seconds, words) => {
    expect(relative(1_000_000_000 - seconds * 1000, 1_000_000_000)).toBe(words);
  });

  it.each([
    [0.314, "0.31 s"],
    [12.34, "12.3 s"],
    [59.99, "1 min 00 s"],
    [185, "3 min 05 s"],
    [8040, "2 h 14 min"],
    [273_600, "3 d 4 h"],
    [-1, "0 s"],
  ])("%s seconds took %s", (seconds, words) => {
    expect(duration(seconds)).toBe(words);
  });

  it("that are none are null", () => {
    expect([parseTime(null), parseTime(""), parseTime("soon")]).toEqual([null, null, null]);
    expect(parseTime("1970-01-01T00:00:01.500Z")).toBe(1500);
  });
});

describe("an axis", () => {
  it("has round steps", () => {
    expect([tickStep(60, 6), tickStep(61, 6), tickStep(0.2, 5)]).toEqual([10, 15, 0.05]);
  });

  it("has its ticks on round times since the start of the run", () => {
    expect(ticks(12_000, 41_000, 3, 1000)).toEqual([21_000, 31_000, 41_000]);
    expect(ticks(0, 100, 0)).toEqual([0, 100]);
  });

  it("has labels as long as they must be", () => {
    expect(sinceStart(0, 1)).toBe("0");
    expect(sinceStart(50, 0.05)).toBe("0.05 s");
    expect(sinceStart(90_000, 30)).toBe("1:30 min");
    expect(sinceStart(5_400_000, 600)).toBe("1:30 h");
  });
});

it("sizes are told in their unit", () => {
  expect([bytes(812), bytes(1434), bytes(3 * 2 ** 30), bytes(200 * 2 ** 20)]).toEqual([
    "812 B",
    "1.4 KiB",
    "3.0 GiB",
    "200 MiB",
  ]);
});
