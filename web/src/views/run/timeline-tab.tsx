// When what ran: each task of a small run, each template of a large one.

import { useMemo } from "react";
import { fetchTaskTimeline, fetchTemplateTimeline } from "../../api/endpoints";
import type { Run, TimelineTaskRow } from "../../api/types";
import { Empty, Fault, Loading } from "../../components/faults";
import { Exact, Took } from "../../components/time";
import { useNow } from "../../hooks/use-clock";
import { usePages } from "../../hooks/use-pages";
import { useResource } from "../../hooks/use-resource";
import { isFinal } from "../../model/states";
import { parseTime } from "../../model/times";
import { Link, navigate, useQuery } from "../../router/navigation";
import { taskPath } from "../../router/route";
import { TimeCanvas } from "./time-canvas";
import { taskRow, templateRow } from "./timeline-rows";

/** Up to here each task has a row of its own. */
const TASK_LEVEL_MOST = 300;

interface Props {
  run: Run;
  tick: number;
  onOpen: (name: string) => void;
}

export function TimelineTab(props: Props) {
  const [query, change] = useQuery();
  const template = query.get("template");
  const small = props.run.taskCount <= TASK_LEVEL_MOST;
  const level = query.get("level") ?? (small || template ? "task" : "template");
  return (
    <div className="timeline-tab">
      <div className="toolbar">
        <fieldset className="toggles">
          <legend className="unseen">Rows</legend>
          {(["task", "template"] as const).map((name) => (
            <button
              key={name}
              type="button"
              className="toggle"
              aria-pressed={level === name}
              onClick={() => change({ level: name, template: null })}
            >
              by {name}
            </button>
          ))}
        </fieldset>
        {template ? (
          <span className="tag">
            template {template}
            <button
              type="button"
              className="link"
              aria-label="Show all templates"
              onClick={() => change({ template: null, level: null })}
            >
              ×
            </button>
          </span>
        ) : null}
        <ul className="legend" aria-label="Colours">
          <li>
            <span className="swatch queue" /> waited in a queue
          </li>
          <li>
            <span className="swatch fill-running" /> running
          </li>
          <li>
            <span className="swatch fill-succeeded" /> succeeded
          </li>
          <li>
            <span className="swatch fill-failed" /> failed
          </li>
        </ul>
      </div>
      {level === "task" ? (
        <TaskLevel {...props} template={template} />
      ) : (
        <TemplateLevel run={props.run} tick={props.tick} />
      )}
    </div>
  );
}

interface Extra {
  from: string | null;
  to: string | null;
}

function TaskLevel({ run, tick, onOpen, template }: Props & { template: string | null }) {
  const now = useNow(isFinal(run.state) ? 60 : 1);
  const list = usePages<TimelineTaskRow, Extra>(
    `timeline:${run.id}:${template ?? ""}`,
    async (cursor, limit, signal) => {
      const page = await fetchTaskTimeline(run.id, { template, cursor, limit }, signal);
      return { rows: page.rows, nextCursor: page.nextCursor, extra: page };
    },
    (row) => row.name,
    { tick, size: 200, most: 400 },
  );
  const end = isFinal(run.state) ? (parseTime(run.endedAt) ?? now) : now;
  const rows = useMemo(() => list.rows.map((row) => taskRow(row, end)), [list.rows, end]);
  const from = parseTime(list.extra?.from);
  const bounds = useMemo(() => {
    const start = from ?? end - 1000;
    return { from: start, to: Math.max(start + 200, parseTime(list.extra?.to) ?? end, end) };
  }, [from, list.extra, end]);

  if (list.error) return <Fault error={list.error} onRetry={list.reload} />;
  if (list.loading) return <Loading what="the timeline" />;
  if (rows.length === 0) return <Empty title="Nothing has started yet" />;
  return (
    <>
      <TimeCanvas
        rows={rows}
        bounds={bounds}
        rowHeight={22}
        onOpen={onOpen}
        label="Timeline of the tasks; a table of the same follows"
      />
      {list.hasMore ? (
        <button
          type="button"
          className="button more"
          onClick={list.more}
          disabled={list.loadingMore}
        >
          More rows
        </button>
      ) : null}
      <details className="as-table">
        <summary>The same as a table</summary>
        <table className="list lines">
          <thead>
            <tr>
              <th scope="col">Task</th>
              <th scope="col">Attempt</th>
              <th scope="col">State</th>
              <th scope="col">Submitted</th>
              <th scope="col">Started</th>
              <th scope="col">Took</th>
            </tr>
          </thead>
          <tbody>
            {list.rows.flatMap((row) =>
              row.attempts.map((attempt) => (
                <tr key={`${row.name} ${attempt.number}`}>
                  <td className="cell-name">
                    <Link to={taskPath(run.id, row.name)}>{row.name}</Link>
                  </td>
                  <td>{attempt.number}</td>
                  <td>{attempt.state}</td>
                  <td>
                    <Exact time={attempt.submittedAt} />
                  </td>
                  <td>
                    <Exact time={attempt.startedAt} />
                  </td>
                  <td>
                    <Took from={attempt.startedAt} to={attempt.endedAt} />
                  </td>
                </tr>
              )),
            )}
          </tbody>
        </table>
      </details>
    </>
  );
}

function TemplateLevel({ run, tick }: { run: Run; tick: number }) {
  const timeline = useResource(
    `templates:${run.id}`,
    (signal) => fetchTemplateTimeline(run.id, { bins: 200 }, signal),
    tick,
  );
  const value = timeline.value;
  const from = parseTime(value?.from);
  const to = parseTime(value?.to);
  const rows = useMemo(
    () =>
      value && from !== null
        ? value.rows.map((row) => templateRow(row, from, value.binSeconds))
        : [],
    [value, from],
  );
  const bounds = useMemo(
    () => (from === null ? null : { from, to: Math.max(from + 200, to ?? from) }),
    [from, to],
  );
  if (timeline.error) return <Fault error={timeline.error} onRetry={timeline.reload} />;
  if (timeline.loading) return <Loading what="the timeline" />;
  if (!value || !bounds || rows.length === 0) return <Empty title="Nothing has started yet" />;
  const path = `/runs/${encodeURIComponent(run.id)}/timeline`;
  return (
    <>
      <TimeCanvas
        rows={rows}
        bounds={bounds}
        rowHeight={44}
        onOpen={(template) =>
          navigate(`${path}?level=task&template=${encodeURIComponent(template)}`)
        }
        label="Timeline of the templates; a table of the same follows"
      />
      <details className="as-table">
        <summary>The same as a table</summary>
        <table className="list lines">
          <thead>
            <tr>
              <th scope="col">Template</th>
              <th scope="col">Tasks</th>
              <th scope="col">First start</th>
              <th scope="col">Last end</th>
            </tr>
          </thead>
          <tbody>
            {value.rows.map((row) => (
              <tr key={row.template}>
                <td className="cell-name">
                  <Link to={`${path}?level=task&template=${encodeURIComponent(row.template)}`}>
                    {row.template}
                  </Link>
                </td>
                <td>{row.tasks}</td>
                <td>
                  <Exact time={row.firstStartedAt} />
                </td>
                <td>
                  <Exact time={row.lastEndedAt} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </>
  );
}
