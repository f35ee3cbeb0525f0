// All runs: which are under way, which need somebody.

import { useEffect, useMemo, useRef, useState } from "react";
import { fetchRuns } from "../../api/endpoints";
import type { RunSummary } from "../../api/types";
import { Empty, Fault, Loading } from "../../components/faults";
import { LiveBadge } from "../../components/live-badge";
import { useNow, useThrottled } from "../../hooks/use-clock";
import { useKeys } from "../../hooks/use-keys";
import { useEvents } from "../../hooks/use-live";
import { usePages } from "../../hooks/use-pages";
import { moved, withoutRow, withRow } from "../../model/pages";
import { navigate, useQuery } from "../../router/navigation";
import { runPath } from "../../router/route";
import { RunsFilter } from "./runs-filter";
import { runsQuery } from "./runs-query";
import { RunsTable } from "./runs-table";

const idOf = (run: RunSummary) => run.id;

export function RunsView() {
  const [query, change] = useQuery();
  const [marked, setMarked] = useState<string | null>(null);
  const [tick, setTick] = useState(0);
  // A quick range ("last hour") moves on with the minutes, not with each second.
  const minute = Math.floor(useNow(60) / 60_000);
  const asked = useMemo(() => runsQuery(query, minute * 60_000), [query, minute]);
  const filter = useRef<HTMLInputElement>(null);

  const list = usePages(
    JSON.stringify(asked),
    async (cursor, limit, signal) => {
      const page = await fetchRuns({ ...asked, cursor, limit }, signal);
      return { rows: page.runs, nextCursor: page.nextCursor, extra: page.stateCounts };
    },
    idOf,
    { tick: useThrottled(tick, 2000), size: 50, most: 500 },
  );
  const status = useEvents("/events", (event) => {
    if (event.event === "run") {
      const run = JSON.parse(event.data) as RunSummary;
      list.change((pages) => withRow(pages, run, idOf));
    }
    if (event.event === "removed") {
      const { id } = JSON.parse(event.data) as { id: string };
      list.change((pages) => withoutRow(pages, id, idOf));
    }
    setTick((count) => count + 1);
  });

  useEffect(() => {
    // While the stream was cut off, something may have happened.
    if (status === "live") setTick((count) => count + 1);
  }, [status]);

  const index = list.rows.findIndex((run) => run.id === marked);
  const step = (by: number) => setMarked(list.rows[moved(index, by, list.rows.length)]?.id ?? null);
  useKeys({
    j: () => step(1),
    k: () => step(-1),
    Enter: (event) => {
      // Enter on a link or button is that element's own.
      if (event.target instanceof HTMLElement && event.target.closest("a, button")) {
        event.target.closest<HTMLElement>("a, button")?.click();
      } else if (marked) navigate(runPath(marked));
    },
    Escape: () => setMarked(null),
  });
  const filtered = [...query.keys()].some((key) => key !== "sort");
  const badPattern = list.error?.code === "bad_pattern";
  return (
    <div className="runs-view">
      <div className="view-head">
        <h1>Runs</h1>
        <LiveBadge status={status} />
      </div>
      <RunsFilter
        query={query}
        change={change}
        counts={list.extra}
        error={list.error}
        fieldRef={filter}
      />
      {list.error && !badPattern ? <Fault error={list.error} onRetry={list.reload} /> : null}
      {list.loading ? <Loading what="the runs" /> : null}
      {list.rows.length > 0 ? (
        <RunsTable
          runs={list.rows}
          sort={query.get("sort") ?? "-updatedAt"}
          onSort={(sort) => change({ sort: sort === "-updatedAt" ? null : sort })}
          marked={marked}
          onChanged={list.reload}
        />
      ) : null}
      {list.extra && list.rows.length === 0 && !list.error ? (
        filtered ? (
          <Empty title="No run fits the filter">
            <button
              type="button"
              className="button"
              onClick={() =>
                change(Object.fromEntries([...query.keys()].map((key) => [key, null])))
              }
            >
              Show all runs
            </button>
          </Empty>
        ) : (
          <NoRuns />
        )
      ) : null}
      {list.hasMore ? (
        <button
          type="button"
          className="button more"
          onClick={list.more}
          disabled={list.loadingMore}
        >
          {list.loadingMore ? "Fetching …" : "More runs"}
        </button>
      ) : null}
    </div>
  );
}

function NoRuns() {
  return (
    <Empty title="No runs yet">
      <p>Submit a workflow here, or from a shell:</p>
      <pre>segue submit --server {location.origin} study.yaml</pre>
      <p>
        <button type="button" className="button main" onClick={() => navigate("/submit")}>
          Submit a workflow
        </button>
      </p>
    </Empty>
  );
}
