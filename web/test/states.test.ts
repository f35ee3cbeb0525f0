import { describe, expect, it } from "vitest";
import type { TaskState } from "../src/api/types";
import {
  countsInWords,
  endInWords,
  leadingState,
  shares,
  sum,
  triggerInWords,
} from "../src/model/states";

describe("a bar of states", () => {
  it("fills from the left with what has ended", () => {
    const bar = shares({ waiting: 50, running: 25, succeeded: 25 });

    expect(bar.map((share) => share.state)).toEqual(["succeeded", "running", "waiting"]);
    expect(bar.map((share) => share.fraction)).toEqual([0.25, 0.25, 0.5]);
  });

  it("shows one failure among 100,000 tasks", () => {
    const bar = shares({ succeeded: 99_999, failed: 1 });

    expect(bar[1]?.fraction).toBeGreaterThan(0.01);
    expect(bar.reduce((whole, share) => whole + share.fraction, 0)).toBeCloseTo(1);
  });

  it("of no tasks is empty", () => {
    expect(shares({})).toEqual([]);
    expect(shares({ running: 0 })).toEqual([]);
  });
});

describe("words", () => {
  it("tell counts, the urgent ones first", () => {
    expect(countsInWords({ succeeded: 1200, failed: 2 })).toBe("2 failed, 1,200 succeeded");
    expect(countsInWords({})).toBe("no tasks");
  });

  it("tell how an attempt ended", () => {
    const end = { exitCode: null, signal: null };
    expect(endInWords({ ...end, cause: "exit_code", exitCode: 3 })).toBe("exit code 3");
    expect(endInWords({ ...end, cause: "signal", signal: 9 })).toBe("signal 9");
    expect(endInWords({ ...end, cause: "timed_out", exitCode: 143 })).toBe("timed out");
    expect(endInWords({ ...end, cause: null })).toBe("");
  });

  it("tell trigger rules, also those that are new", () => {
    expect(triggerInWords("any_failed")).toBe("one of its needs has failed");
    expect(triggerInWords("at_full_moon")).toBe("at full moon");
  });
});

describe("a group of tasks", () => {
  it("has the colour of what is most urgent in it", () => {
    expect(leadingState({ succeeded: 9, failed: 1, running: 3 })).toBe("failed");
    expect(leadingState({ succeeded: 9, waiting: 3 })).toBe("waiting");
    expect(leadingState({ succeeded: 9, skipped: 1 })).toBe("skipped");
    expect(leadingState({ succeeded: 9 })).toBe("succeeded");
  });
});

it("counts are summed over all states, or over some", () => {
  expect(sum({ running: 1, failed: 2 })).toBe(3);
  expect(sum<TaskState>({ running: 1, failed: 2 }, ["failed", "skipped"])).toBe(2);
});
