// What to try next, as the page says it. The server's hints are written for the command line; where
// the page has a button or a field for the same thing, it names that instead.

import type { Problem } from "../api/types";

/** By verb of a step "segue VERB RUN TASK"; null where the page shows at once what it would. */
const STEPS: Record<string, string | null> = {
  logs: null,
  why: null,
  retry: "“Requeue” runs it again.",
  release: "“Release” lets it go.",
  resume: "“Resume”, above, lets the run go on.",
};

/** Reasons as they are, and steps by their buttons; a step that the page lacks stays a command. */
export function stepsOnPage(hints: readonly string[]): string[] {
  return hints.flatMap((hint) => {
    const [program, verb = ""] = hint.split(" ");
    const words = program === "segue" ? STEPS[verb] : hint;
    if (words === null) return [];
    return [words ?? hint];
  });
}

const FIELDS: readonly [RegExp, string][] = [
  [/--set /g, "the fact "],
  [/--dialect\b/g, "“Dialect”"],
  [/--pool /g, "the pool "],
  // The form has no field for it; the half of the hint before it can be followed here.
  [/, or keep it as it is with --keep-unknown$/, ""],
];

/** What to try against a problem of a document, by the fields of the form. */
export function hintOnPage(problem: Problem): string {
  if (problem.code === "no_command") {
    return "drop its configuration here, or add it to the files that go along";
  }
  return FIELDS.reduce((hint, [option, field]) => hint.replace(option, field), problem.hint ?? "");
}
