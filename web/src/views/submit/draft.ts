// What is about to be submitted. It outlives a reload and a look at another view.

import type { Submission } from "../../api/types";
import { typedValue } from "../../model/commands";

export interface Pair {
  /** A key for the row, nothing else. */
  key: number;
  name: string;
  value: string;
}

export interface Draft {
  document: string;
  path: string;
  dialect: string;
  pool: string;
  limit: string;
  paused: boolean;
  parameters: Pair[];
  facts: Pair[];
  tags: Pair[];
  files: Record<string, string>;
  /** Which of the files configures a LUTE workflow. */
  config: string;
}

export const EMPTY_DRAFT: Draft = {
  document: "",
  path: "",
  dialect: "",
  pool: "",
  limit: "",
  paused: false,
  parameters: [],
  facts: [],
  tags: [],
  files: {},
  config: "",
};

const KEY = "segue.draft";
let nextKey = 1;

export function newPair(name = "", value = ""): Pair {
  nextKey += 1;
  return { key: nextKey, name, value };
}

/** The draft that was kept, or an empty one. */
export function keptDraft(): Draft {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null") as Draft | null;
    if (!kept) return EMPTY_DRAFT;
    const renew = (pairs: Pair[]) => pairs.map((pair) => newPair(pair.name, pair.value));
    return {
      ...EMPTY_DRAFT,
      ...kept,
      parameters: renew(kept.parameters),
      facts: renew(kept.facts),
      tags: renew(kept.tags),
    };
  } catch {
    return EMPTY_DRAFT;
  }
}

export function saveDraft(draft: Draft): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(draft));
  } catch {
    // The browser keeps only some MiB: a larger draft lives as long as its view.
  }
}

/** Begin a draft from a run that was. */
export function keepDraft(from: {
  document: string;
  path: string;
  dialect: string;
  tags: Record<string, string>;
}): void {
  const tags = Object.entries(from.tags).map(([name, value]) => newPair(name, value));
  saveDraft({ ...EMPTY_DRAFT, ...from, tags });
}

/** The file that configures a LUTE workflow, where only one can be meant: the only YAML. */
export function likelyConfig(files: Record<string, string>): string {
  const found = Object.keys(files).filter((name) => /\.ya?ml$/i.test(name));
  return found.length === 1 ? (found[0] ?? "") : "";
}

/** The draft as the API takes it; what is empty is left out. */
export function submissionOf(draft: Draft): Submission {
  const named = (pairs: Pair[]) => pairs.filter((pair) => pair.name.trim() !== "");
  const values = (pairs: Pair[]) =>
    Object.fromEntries(named(pairs).map((pair) => [pair.name.trim(), typedValue(pair.value)]));
  const texts = (pairs: Pair[]) =>
    Object.fromEntries(named(pairs).map((pair) => [pair.name.trim(), pair.value]));
  const limit = Number.parseInt(draft.limit, 10);
  return {
    document: draft.document,
    ...(draft.path ? { path: draft.path } : {}),
    ...(draft.dialect ? { dialect: draft.dialect } : {}),
    ...(draft.pool ? { pool: draft.pool } : {}),
    ...(limit > 0 ? { limit } : {}),
    ...(draft.paused ? { paused: true } : {}),
    ...(named(draft.parameters).length > 0 ? { parameters: values(draft.parameters) } : {}),
    ...(named(draft.facts).length > 0 ? { facts: values(draft.facts) } : {}),
    ...(named(draft.tags).length > 0 ? { tags: texts(draft.tags) } : {}),
    ...(Object.keys(draft.files).length > 0 ? { files: draft.files } : {}),
    ...(draft.config in draft.files ? { options: { config: draft.config } } : {}),
  };
}
