import { useEffect, useRef } from "react";
import type { RunSummary } from "../../api/types";
import { SortHeader } from "../../components/sort-header";
import { StateBadge, StateBar, StateCounts } from "../../components/state";
import { Ago, Took } from "../../components/time";
import { BAR_STATES } from "../../model/states";
import { Link } from "../../router/navigation";
import { runPath } from "../../router/route";
import { RunButtons } from "../run/run-buttons";

/** A line of a list is no place for twenty of them. */
const TAGS_OF_A_LINE = 5;

/** One line a run; on a phone one card a run. */
export function RunsTable({
  runs,
  sort,
  onSort,
  marked,
  onChanged,
}: {
  runs: RunSummary[];
  sort: string;
  onSort: (sort: string) => void;
  marked: string | null;
  onChanged: () => void;
}) {
  const header = { sort, onSort };
  return (
    <table className="list runs">
      <thead>
        <tr>
          <SortHeader label="State" column="state" {...header} />
          <SortHeader label="Run" column="workflow" {...header} />
          <SortHeader label="Progress" column="taskCount" descendingFirst {...header} />
          <SortHeader label="Started" column="startedAt" descendingFirst {...header} />
          <th scope="col" className="numeric">
            Duration
          </th>
          <SortHeader label="Changed" column="updatedAt" descendingFirst {...header} />
          <th scope="col">
            <span className="unseen">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {runs.map((run) => (
          <Row key={run.id} run={run} marked={run.id === marked} onChanged={onChanged} />
        ))}
      </tbody>
    </table>
  );
}

function Row({
  run,
  marked,
  onChanged,
}: {
  run: RunSummary;
  marked: boolean;
  onChanged: () => void;
}) {
  const row = useRef<HTMLTableRowElement>(null);
  useEffect(() => {
    if (marked) row.current?.scrollIntoView({ block: "nearest" });
  }, [marked]);
  return (
    <tr ref={row} className={marked ? "marked" : undefined} aria-current={marked || undefined}>
      <td className="cell-state">
        <StateBadge state={run.state} note={noteOf(run)} title={run.problem} />
      </td>
      <td className="cell-name">
        <Link to={runPath(run.id)} className="name">
          {run.workflow}
        </Link>
        <span className="id">{run.id}</span>
        <Tags run={run} most={TAGS_OF_A_LINE} />
      </td>
      <td className="cell-progress">
        <StateBar counts={run.counts} />
        <StateCounts run={run.id} counts={run.counts} states={BAR_STATES} />
      </td>
      <td data-label="Started">
        <Ago time={run.startedAt ?? run.createdAt} />
      </td>
      <td className="numeric" data-label="Duration">
        <Took from={run.startedAt} to={run.endedAt} />
      </td>
      <td data-label="Changed">
        <Ago time={run.updatedAt} />
      </td>
      <td className="cell-actions">
        <RunButtons run={run} onChanged={onChanged} small />
      </td>
    </tr>
  );
}

/** What a state alone does not say: nobody drives the run, or it is being stopped. */
export function noteOf(run: RunSummary): string | undefined {
  if (run.cancelling && run.endedAt === null) return "stopping";
  if (run.problem && run.endedAt === null) return "cannot go on";
  if (run.state === "running" && run.engine && !run.engine.alive) return "no engine";
  return undefined;
}

/** The run's tags, at most `most`; the one that only repeats its name is left out. */
export function Tags({ run, most = Number.POSITIVE_INFINITY }: { run: RunSummary; most?: number }) {
  const entries = Object.entries(run.tags).filter(
    ([key, value]) => !(key === "name" && value === run.workflow),
  );
  if (entries.length === 0) return null;
  // "1 more" takes as much room as the one.
  const shown = entries.length <= most + 1 ? entries : entries.slice(0, most);
  const others = entries.slice(shown.length);
  return (
    <span className="tags">
      {shown.map(([key, value]) => (
        <span key={key} className="tag" title={`${key}=${value}`}>
          <span className="muted">{key}</span> <span className="tag-value">{value}</span>
        </span>
      ))}
      {others.length > 0 ? (
        <span
          className="tag muted"
          title={others.map(([key, value]) => `${key}=${value}`).join("\n")}
        >
          {others.length} more
        </span>
      ) : null}
    </span>
  );
}
