// From the address of the page to the query of the API.

import type { Query } from "../../api/client";

const LAST_SECONDS: Record<string, number> = { hour: 3600, day: 86_400, week: 604_800 };

export const QUICK_RANGES = Object.keys(LAST_SECONDS);

/** What to ask the server for; `now` is what "last hour" counts from. */
export function runsQuery(query: URLSearchParams, now: number): Query {
  const last = LAST_SECONDS[query.get("last") ?? ""];
  const after = last ? new Date(now - last * 1000).toISOString() : localToUtc(query.get("after"));
  return {
    name: query.get("name"),
    state: query.getAll("state"),
    pool: query.get("pool"),
    dialect: query.get("dialect"),
    startedAfter: after,
    startedBefore: localToUtc(query.get("before")),
    sort: query.get("sort") ?? "-updatedAt",
  };
}

/** A field's local time ("2026-11-21T14:00") as the API's UTC; null for what is no time. */
export function localToUtc(text: string | null): string | null {
  if (!text) return null;
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? null : time.toISOString();
}
