// The graph of a run by template, with live counts; a template opens into its tasks.

import { useMemo, useRef } from "react";
import { fetchGraph } from "../../api/endpoints";
import type { Graph, Run } from "../../api/types";
import { Empty, Fault, Loading } from "../../components/faults";
import { StateIcon } from "../../components/icons";
import { useResource } from "../../hooks/use-resource";
import { TASK_STATES } from "../../model/states";
import { navigate, useQuery } from "../../router/navigation";
import { GraphPicture } from "./graph-picture";

export function GraphTab({
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
  const expanded = useMemo(() => query.getAll("open"), [query]);
  const graph = useResource(
    `graph:${run.id}:${JSON.stringify(expanded)}`,
    (signal) => fetchGraph(run.id, expanded, signal),
    tick,
  );
  // While an opened template is fetched the picture from before stays: it must not blink.
  const before = useRef<Graph | null>(null);
  before.current = graph.value ?? before.current;
  const shown = before.current;
  const deeds = useMemo(
    () => ({
      expandable: true,
      opened,
      onExpand: (template: string) => change({ open: [...expanded, template] }, { push: true }),
      onTask: onOpen,
      onMore: (template: string) =>
        navigate(
          `/runs/${encodeURIComponent(run.id)}/tasks?template=${encodeURIComponent(template)}`,
        ),
    }),
    [opened, onOpen, change, expanded, run.id],
  );
  return (
    <div className="graph-tab">
      <div className="toolbar">
        {expanded.length > 0 ? (
          <span className="opened-templates">
            {expanded.map((template) => (
              <button
                key={template}
                type="button"
                className="button"
                title={`Show ${template} as one box again`}
                onClick={() =>
                  change({ open: expanded.filter((other) => other !== template) }, { push: true })
                }
              >
                × {template}
              </button>
            ))}
            <button
              type="button"
              className="button"
              onClick={() => change({ open: null }, { push: true })}
            >
              Fold all
            </button>
          </span>
        ) : (
          <span className="muted">A box is a template; click it to see its tasks.</span>
        )}
        <Legend states={TASK_STATES.filter((state) => (run.counts[state] ?? 0) > 0)} />
      </div>
      {graph.error ? <Fault error={graph.error} onRetry={graph.reload} /> : null}
      {shown ? (
        shown.nodes.length === 0 ? (
          <Empty title="This run has no tasks" />
        ) : (
          <section className="picture" aria-label="Graph of the run">
            <GraphPicture graph={shown} deeds={deeds} />
          </section>
        )
      ) : graph.error ? null : (
        <Loading what="the graph" />
      )}
    </div>
  );
}

function Legend({ states }: { states: readonly string[] }) {
  return (
    <ul className="legend" aria-label="Colours">
      {states.map((state) => (
        <li key={state}>
          <StateIcon state={state} /> {state}
        </li>
      ))}
    </ul>
  );
}
