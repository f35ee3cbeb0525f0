// The tasks of a run, page by page; those that are ticked can be acted on together.

import { useMemo, useState } from "react";
import { fetchTasks } from "../../api/endpoints";
import type { Run, TaskRow } from "../../api/types";
import { Empty, Fault, Loading } from "../../components/faults";
import { PatternField } from "../../components/pattern-field";
import { SortHeader } from "../../components/sort-header";
import { StateToggles } from "../../components/state";
import { useKeys } from "../../hooks/use-keys";
import { usePages } from "../../hooks/use-pages";
import { moved } from "../../model/pages";
import { TASK_STATES } from "../../model/states";
import { useQuery } from "../../router/navigation";
import { Selection } from "./selection";
import { TaskLine } from "./task-line";

const nameOf = (task: TaskRow) => task.name;

export function TasksTab({
  run,
  tick,
  opened,
  onOpen,
}: {
  run: Run;
  tick: number;
  opened: string | null;
  onOpen: (name: string) => void;
}) {
  const [query, change] = useQuery();
  const [marked, setMarked] = useState<string | null>(opened);
  const [ticked, setTicked] = useState<ReadonlySet<string>>(new Set());
  const sort = query.get("sort") ?? "position";
  const asked = useMemo(
    () => ({
      name: query.get("name"),
      template: query.get("template"),
      state: query.getAll("state"),
      sort: query.get("sort") ?? "position",
    }),
    [query],
  );
  const list = usePages(
    `${run.id} ${JSON.stringify(asked)}`,
    async (cursor, limit, signal) => {
      const page = await fetchTasks(run.id, { ...asked, cursor, limit }, signal);
      return { rows: page.tasks, nextCursor: page.nextCursor, extra: page.stateCounts };
    },
    nameOf,
    { tick, size: 100, most: 300 },
  );
  const index = list.rows.findIndex((task) => task.name === marked);
  const step = (by: number) => {
    const next = list.rows[moved(index, by, list.rows.length)]?.name ?? null;
    setMarked(next);
    if (opened && next) onOpen(next);
  };
  const toggle = (name: string) =>
    setTicked((before) => {
      const after = new Set(before);
      if (!after.delete(name)) after.add(name);
      return after;
    });
  useKeys({
    j: () => step(1),
    k: () => step(-1),
    x: () => marked && toggle(marked),
    Enter: (event) => {
      if (event.target instanceof HTMLElement && event.target.closest("a, button")) {
        event.target.closest<HTMLElement>("a, button")?.click();
      } else if (marked) onOpen(marked);
    },
  });
  const chosen = list.rows.filter((task) => ticked.has(task.name));
  const header = {
    sort,
    onSort: (value: string) => change({ sort: value === "position" ? null : value }),
  };
  const allTicked = list.rows.length > 0 && chosen.length === list.rows.length;
  return (
    <div className="tasks-tab">
      <search className="filters">
        <PatternField
          label="Filter tasks by name (regular expression)"
          placeholder="Task name: a regular expression"
          value={query.get("name") ?? ""}
          onChange={(name) => change({ name })}
          error={list.error}
        />
        <StateToggles
          states={TASK_STATES.filter((state) => shown(state, list.extra, asked.state))}
          counts={list.extra}
          chosen={asked.state}
          onChange={(state) => change({ state })}
        />
        {asked.template ? (
          <span className="tag">
            template {asked.template}
            <button
              type="button"
              className="link"
              aria-label="Show all templates"
              onClick={() => change({ template: null })}
            >
              ×
            </button>
          </span>
        ) : null}
      </search>
      {list.error && list.error.code !== "bad_pattern" ? (
        <Fault error={list.error} onRetry={list.reload} />
      ) : null}
      {chosen.length > 0 ? (
        <Selection
          run={run}
          tasks={chosen}
          onClear={() => setTicked(new Set())}
          onChanged={list.reload}
        />
      ) : null}
      {list.loading ? <Loading what="the tasks" /> : null}
      {list.rows.length > 0 ? (
        <table className="list tasks">
          <thead>
            <tr>
              <th scope="col" className="cell-tick">
                <input
                  type="checkbox"
                  aria-label="Tick all that are shown"
                  checked={allTicked}
                  onChange={() => setTicked(new Set(allTicked ? [] : list.rows.map(nameOf)))}
                />
              </th>
              <SortHeader label="State" column="state" {...header} />
              <SortHeader label="Task" column="name" {...header} />
              <SortHeader label="Tries" column="attempts" numeric descendingFirst {...header} />
              <th scope="col" className="numeric wide-only">
                Queued
              </th>
              <SortHeader label="Took" column="duration" numeric descendingFirst {...header} />
              <SortHeader label="Started" column="startedAt" descendingFirst {...header} />
              <SortHeader label="Exit" column="exitCode" numeric descendingFirst {...header} />
              <th scope="col" className="wide-only">
                Node
              </th>
            </tr>
          </thead>
          <tbody>
            {list.rows.map((task) => (
              <TaskLine
                key={task.name}
                run={run}
                task={task}
                marked={task.name === marked}
                opened={task.name === opened}
                ticked={ticked.has(task.name)}
                onTick={toggle}
              />
            ))}
          </tbody>
        </table>
      ) : null}
      {list.extra && list.rows.length === 0 && !list.error ? (
        <Empty title="No task fits the filter">
          <button
            type="button"
            className="button"
            onClick={() => change({ name: null, state: null, template: null })}
          >
            Show all tasks
          </button>
        </Empty>
      ) : null}
      {list.hasMore ? (
        <button
          type="button"
          className="button more"
          onClick={list.more}
          disabled={list.loadingMore}
        >
          {list.loadingMore ? "Fetching …" : "More tasks"}
        </button>
      ) : null}
    </div>
  );
}

/** Seven of nine states are zero most of the time: only those that occur, or are chosen, are shown. */
function shown(
  state: string,
  counts: Partial<Record<string, number>> | null,
  chosen: readonly string[],
): boolean {
  return chosen.includes(state) || (counts?.[state] ?? 0) > 0;
}
