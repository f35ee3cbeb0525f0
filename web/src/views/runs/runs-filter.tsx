import type { Ref } from "react";
import type { ApiError } from "../../api/client";
import type { Counts, RunState } from "../../api/types";
import { PatternField } from "../../components/pattern-field";
import { StateToggles } from "../../components/state";
import { RUN_STATES } from "../../model/states";
import type { ChangeQuery } from "../../router/navigation";
import { QUICK_RANGES } from "./runs-query";

/** What of the runs is shown: pattern, states, time of start. All of it is in the address. */
export function RunsFilter({
  query,
  change,
  counts,
  error,
  fieldRef,
}: {
  query: URLSearchParams;
  change: ChangeQuery;
  counts: Counts<RunState> | null;
  error: ApiError | null;
  fieldRef: Ref<HTMLInputElement>;
}) {
  const last = query.get("last");
  const range = last ?? (query.get("after") || query.get("before") ? "between" : "");
  return (
    <search className="filters">
      <PatternField
        label="Filter by name and tags (regular expression)"
        placeholder="Name, id or tag: a regular expression"
        value={query.get("name") ?? ""}
        onChange={(name) => change({ name })}
        error={error}
        fieldRef={fieldRef}
      />
      <StateToggles
        states={RUN_STATES}
        counts={counts}
        chosen={query.getAll("state")}
        onChange={(state) => change({ state })}
      />
      <label className="choice">
        <span>Started</span>
        <select
          value={range}
          onChange={(event) => {
            const value = event.target.value;
            if (value === "between") change({ last: null, after: startOfToday() });
            else change({ last: value, after: null, before: null });
          }}
        >
          <option value="">any time</option>
          {QUICK_RANGES.map((name) => (
            <option key={name} value={name}>
              in the last {name}
            </option>
          ))}
          <option value="between">between …</option>
        </select>
      </label>
      {range === "between" ? (
        <span className="between">
          <input
            type="datetime-local"
            aria-label="Started after"
            value={query.get("after") ?? ""}
            onChange={(event) => change({ after: event.target.value })}
          />
          <span>to</span>
          <input
            type="datetime-local"
            aria-label="Started before"
            value={query.get("before") ?? ""}
            onChange={(event) => change({ before: event.target.value })}
          />
        </span>
      ) : null}
    </search>
  );
}

function startOfToday(): string {
  const now = new Date();
  const two = (value: number) => String(value).padStart(2, "0");
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}T00:00`;
}
