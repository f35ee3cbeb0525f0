// What happened, line by line; the newest first fetched, earlier ones on request, new ones at the
// end as they happen.

import { useCallback, useEffect, useState } from "react";
import type { ApiError, Query } from "../../api/client";
import { fetchHistory } from "../../api/endpoints";
import type { HistoryLine, Run } from "../../api/types";
import { Empty, Fault, Loading } from "../../components/faults";
import { StateIcon } from "../../components/icons";
import { Exact } from "../../components/time";
import type { RunFeed } from "../../hooks/use-live";
import { asApiError } from "../../hooks/use-resource";
import { useRetry } from "../../hooks/use-retry";
import { joined, MOST_LINES } from "../../model/history";
import { Link } from "../../router/navigation";
import { taskPath } from "../../router/route";

const PAGE = 200;
/** At 200 lines a second nobody reads along: they are shown in bundles. */
const SHOW_EVERY_MS = 300;

export function HistoryTab({ run, feed }: { run: Run; feed: RunFeed }) {
  const [lines, setLines] = useState<HistoryLine[] | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const { id } = run;

  const load = useCallback(
    (query: Query, signal?: AbortSignal) =>
      fetchHistory(id, query, signal).then(
        (page) => {
          setLines((all) => joined(all ?? [], page.history));
          setError(null);
        },
        (fault: unknown) => {
          if (!signal?.aborted) setError(asApiError(fault));
        },
      ),
    [id],
  );
  useEffect(() => {
    const abort = new AbortController();
    void load({ newest: true, limit: PAGE }, abort.signal);
    return () => abort.abort();
  }, [load]);

  useRetry(error, () => void load({ newest: true, limit: PAGE }));

  const { subscribe } = feed;
  useEffect(() => {
    let waiting: HistoryLine[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const show = () => {
      const come = waiting;
      waiting = [];
      timer = undefined;
      setLines((all) => joined(all ?? [], come));
    };
    const end = subscribe((line) => {
      waiting.push(line);
      timer ??= setTimeout(show, SHOW_EVERY_MS);
    });
    return () => {
      clearTimeout(timer);
      end();
    };
  }, [subscribe]);

  if (!lines) {
    return error ? (
      <Fault error={error} onRetry={() => void load({ newest: true, limit: PAGE })} />
    ) : (
      <Loading what="the history" />
    );
  }
  const first = lines[0]?.number ?? 1;
  if (lines.length === 0) return <Empty title="Nothing has happened yet" />;
  return (
    <div className="history">
      {error ? <Fault error={error} /> : null}
      {first > 1 && lines.length + PAGE <= MOST_LINES ? (
        <button
          type="button"
          className="button more earlier"
          onClick={() =>
            void load({ after: Math.max(0, first - 1 - PAGE), limit: Math.min(PAGE, first - 1) })
          }
        >
          {(first - 1).toLocaleString("en")} earlier lines
        </button>
      ) : null}
      <table className="list lines">
        <thead>
          <tr>
            <th scope="col" className="numeric">
              No.
            </th>
            <th scope="col">Time</th>
            <th scope="col">Task</th>
            <th scope="col">What</th>
            <th scope="col">Detail</th>
          </tr>
        </thead>
        <tbody>
          {lines.map((line) => (
            <Line key={line.number} run={run} line={line} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Line({ run, line }: { run: Run; line: HistoryLine }) {
  return (
    <tr>
      <td className="numeric muted">{line.number}</td>
      <td className="time">
        <Exact time={line.at} fine />
      </td>
      <td className="cell-name">
        {line.task ? (
          <Link to={taskPath(run.id, line.task)}>
            {line.task}
            {line.attempt && line.attempt > 1 ? ` (attempt ${line.attempt})` : ""}
          </Link>
        ) : (
          <span className="muted">{line.kind === "step" ? "" : line.kind}</span>
        )}
      </td>
      <td>
        {line.new ? (
          <span className="state-badge">
            {line.old ? <span className="muted">{line.old} →</span> : null}
            <StateIcon state={line.new} />
            {line.new}
          </span>
        ) : null}
      </td>
      <td className="detail">{line.detail}</td>
    </tr>
  );
}
