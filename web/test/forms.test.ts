import { describe, expect, it } from "vitest";
import {
  changedPairs,
  commandText,
  parseCommand,
  parsePairs,
  shellWords,
  typedValue,
} from "../src/model/commands";
import { lineStart, problemLines } from "../src/model/problem-lines";
import { localToUtc, runsQuery } from "../src/views/runs/runs-query";
import { EMPTY_DRAFT, likelyConfig, newPair, submissionOf } from "../src/views/submit/draft";

describe("a command", () => {
  it("is quoted where a shell would need it", () => {
    expect(shellWords(["/bin/echo", "a b", "it's", ""])).toBe("/bin/echo 'a b' 'it'\\''s' ''");
  });

  it.each([[["/bin/echo", "a b"]], [["/bin/sh", "-c", "one\ntwo"]], [["[", "-f", "x", "]"]]])(
    "%j can be edited as text and read again",
    (words) => {
      expect(parseCommand(commandText(words))).toEqual(words);
    },
  );

  it("that is none is told", () => {
    expect([parseCommand(""), parseCommand("[1]"), parseCommand("[oops")]).toEqual([
      null,
      null,
      null,
    ]);
  });
});

describe("NAME=value lines", () => {
  it("are read, and faults are told", () => {
    expect(parsePairs("A=1\n\nB = x=y\nnonsense\n=v")).toEqual({
      pairs: { A: "1", B: " x=y" },
      faults: ["'nonsense' is not NAME=value", "'=v' is not NAME=value"],
    });
  });

  it("send only what was changed, so that a masked value never comes back", () => {
    const before = "TOKEN=********\nA=1\nB=2";

    expect(changedPairs(before, "TOKEN=********\nA=9\nC=3")).toEqual({ A: "9", C: "3", B: null });
    expect(changedPairs(before, before)).toEqual({});
  });
});

describe("a value that is typed", () => {
  it.each([
    ["12", 12],
    ["-1.5e3", -1500],
    ["true", true],
    ["[1, 2]", [1, 2]],
    ["007", "007"],
    ["[not json]", "[not json]"],
    ["mfxl1038923", "mfxl1038923"],
    ["", ""],
  ])("%j is %j", (text, value) => {
    expect(typedValue(text)).toEqual(value);
  });
});

describe("a draft", () => {
  it("says which of its files configures a LUTE workflow, while it is one of them", () => {
    const files = { "test.yaml": "lute_version: 0.1" };
    const draft = { ...EMPTY_DRAFT, document: "x", config: "test.yaml" };

    expect(submissionOf({ ...draft, files }).options).toEqual({ config: "test.yaml" });
    expect(submissionOf(draft).options).toBeUndefined();
  });

  it("takes the only YAML for the configuration", () => {
    expect(likelyConfig({ "a.yml": "", "notes.txt": "" })).toBe("a.yml");
    expect(likelyConfig({ "a.yaml": "", "b.yaml": "" })).toBe("");
  });

  it("is sent without what is empty", () => {
    expect(submissionOf({ ...EMPTY_DRAFT, document: "x" })).toEqual({ document: "x" });
  });

  it("is sent with all that was said", () => {
    const draft = {
      ...EMPTY_DRAFT,
      document: "x",
      limit: "4",
      facts: [newPair("run_num", "12"), newPair(" ", "lost")],
      tags: [newPair("shift", "12")],
      files: { "a.yaml": "text" },
    };

    expect(submissionOf(draft)).toEqual({
      document: "x",
      limit: 4,
      facts: { run_num: 12 },
      tags: { shift: "12" },
      files: { "a.yaml": "text" },
    });
  });
});

describe("problems", () => {
  const problem = { code: "c", message: "m" };

  it("mark their lines, an error before a warning, those of other files not at all", () => {
    const lines = problemLines(
      [
        { ...problem, line: 2, severity: "error" },
        { ...problem, line: 2, severity: "warning" },
        { ...problem, line: 3, severity: "warning" },
        { ...problem, line: 4, path: "config.yaml" },
        { ...problem, line: null },
      ],
      "dag.json",
    );

    expect([...lines]).toEqual([
      [2, "error"],
      [3, "warning"],
    ]);
  });

  it("lead to the beginning of their line", () => {
    expect([1, 2, 3, 9].map((line) => lineStart("ab\nc\nd", line))).toEqual([0, 3, 5, 5]);
  });
});

describe("the filter of runs", () => {
  it("counts a quick range from now", () => {
    const query = runsQuery(new URLSearchParams("last=hour&after=2020-01-01T00:00"), 7_200_000);

    expect(query.startedAfter).toBe("1970-01-01T01:00:00.000Z");
  });

  it("leaves out a time that is none", () => {
    expect([localToUtc(""), localToUtc("soon"), localToUtc(null)]).toEqual([null, null, null]);
    expect(localToUtc("2026-11-21T14:00")).toMatch(/^2026-11-2\dT\d\d:00:00\.000Z$/);
  });
});
