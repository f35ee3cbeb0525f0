import { describe, expect, it } from "vitest";
import type { Problem } from "../src/api/types";
import { hintOnPage, stepsOnPage } from "../src/model/hints";

const problem = (code: string, hint: string): Problem => ({ code, message: "", hint }) as Problem;

describe("what to try next", () => {
  it("names the buttons of a task, and leaves out what stands there anyhow", () => {
    expect(
      stepsOnPage([
        "attempt 1: failed, exit code 3",
        "segue logs night-1 fit",
        "segue retry night-1 fit",
      ]),
    ).toEqual(["attempt 1: failed, exit code 3", "“Requeue” runs it again."]);
  });

  it("stays a command where there is no button", () => {
    expect(stepsOnPage(["segue doctor"])).toEqual(["segue doctor"]);
  });

  it.each([
    ["say it with --set run_type=DARK", "say it with the fact run_type=DARK"],
    ["write --set a=true or --set a=false", "write the fact a=true or the fact a=false"],
    ["--dialect says which one is meant", "“Dialect” says which one is meant"],
    [
      "define it in 'parameters', or keep it as it is with --keep-unknown",
      "define it in 'parameters'",
    ],
    ["did you mean 'split'?", "did you mean 'split'?"],
  ])("%s is told as %s", (hint, words) => {
    expect(hintOnPage(problem("any", hint))).toBe(words);
  });

  it("tells where the configuration of a LUTE workflow goes", () => {
    expect(hintOnPage(problem("no_command", "send a config: {}"))).toContain("drop its config");
  });
});
