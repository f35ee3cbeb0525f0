// One run: its head, and its tabs; a task opens beside them.

import { lazy, Suspense, useEffect, useRef } from "react";
import { fetchRun } from "../../api/endpoints";
import type { Run } from "../../api/types";
import { Empty, Fault, Loading } from "../../components/faults";
import { useThrottled } from "../../hooks/use-clock";
import { useKeys } from "../../hooks/use-keys";
import { type RunFeed, useRunFeed } from "../../hooks/use-live";
import { useResource } from "../../hooks/use-resource";
import { Link, navigate, useQuery } from "../../router/navigation";
import { RUN_TABS, type RunTab, runPath, taskPath } from "../../router/route";
import { TaskPanel } from "../task/task-panel";
import { DefinitionTab } from "./definition-tab";
import { HistoryTab } from "./history-tab";
import { PlotsTab } from "./plots-tab";
import { RunHead } from "./run-head";
import { TasksTab } from "./tasks-tab";
import { TimelineTab } from "./timeline-tab";

const GraphTab = lazy(() => import("./graph-tab").then((module) => ({ default: module.GraphTab })));

/** Above this the views are renewed less often: they show sums, and a sum moves slowly. */
const LARGE_RUN_TASKS = 5000;

export function RunView({ id, tab, task }: { id: string; tab: RunTab; task: string | null }) {
  const feed = useRunFeed(id);
  const [query, change] = useQuery();
  // The stream tells the run itself; what only this route knows changes seldom.
  const slowly = useThrottled(feed.tick, 5000);
  const resource = useResource(`run:${id}`, (signal) => fetchRun(id, signal), slowly);
  const large = (resource.value?.taskCount ?? 0) > LARGE_RUN_TASKS;
  const tick = useThrottled(feed.tick, large ? 4000 : 1500);
  const opened = task ?? query.get("task");

  const close = () => {
    if (task !== null) navigate(runPath(id, "tasks") + location.search);
    else change({ task: null });
  };
  useKeys({
    ...Object.fromEntries(
      RUN_TABS.map((name, index) => [String(index + 1), () => navigate(runPath(id, name))]),
    ),
    Escape: close,
  });

  if (feed.removed || resource.error?.status === 404) {
    const known = feed.removed || resource.value !== null;
    return (
      <Empty title={known ? `The run ${id} was deleted` : `There is no run ${id}`}>
        {!known && resource.error?.hint ? <p>{resource.error.hint}</p> : null}
        <p>
          <Link to="/">All runs</Link>
        </p>
      </Empty>
    );
  }
  if (!resource.value) {
    return resource.error ? (
      <Fault error={resource.error} onRetry={resource.reload} />
    ) : (
      <Loading what="the run" />
    );
  }
  // The stream is ahead of what was fetched; what only the fetched one knows stays.
  const run: Run = { ...resource.value, ...feed.summary };
  return (
    <div className="run-view">
      <RunHead run={run} feed={feed} onChanged={resource.reload} />
      {resource.error ? <Fault error={resource.error} onRetry={resource.reload} /> : null}
      <Tabs id={id} current={tab} />
      <div className={opened ? "split open" : "split"}>
        <section className="split-main" aria-label={tab}>
          <Suspense fallback={<Loading what="the view" />}>
            <TabBody run={run} tab={tab} feed={feed} tick={tick} opened={opened} />
          </Suspense>
        </section>
        {opened ? (
          <TaskPanel
            key={opened}
            run={run}
            name={opened}
            tick={tick}
            onClose={close}
            onChanged={resource.reload}
          />
        ) : null}
      </div>
    </div>
  );
}

function TabBody({
  run,
  tab,
  feed,
  tick,
  opened,
}: {
  run: Run;
  tab: RunTab;
  feed: RunFeed;
  tick: number;
  opened: string | null;
}) {
  const [, change] = useQuery();
  const open = (name: string) => {
    if (tab === "tasks") navigate(taskPath(run.id, name) + location.search);
    else change({ task: name }, { push: true });
  };
  const shared = { run, tick, opened, onOpen: open };
  if (tab === "graph") return <GraphTab {...shared} />;
  if (tab === "tasks") return <TasksTab {...shared} />;
  if (tab === "timeline") return <TimelineTab {...shared} />;
  if (tab === "plots") return <PlotsTab run={run} tick={tick} />;
  if (tab === "history") return <HistoryTab run={run} feed={feed} />;
  return <DefinitionTab run={run} />;
}

function Tabs({ id, current }: { id: string; current: RunTab }) {
  const tabs = useRef<HTMLElement>(null);
  // On a phone the last ones are out of sight, which the one in use must not be.
  useEffect(() => {
    const bar = tabs.current;
    const tab = bar?.querySelector<HTMLElement>(`[href="${CSS.escape(runPath(id, current))}"]`);
    if (!bar || !tab) return;
    const middle = tab.offsetLeft - bar.offsetLeft + tab.offsetWidth / 2;
    bar.scrollLeft = middle - bar.clientWidth / 2;
  }, [id, current]);
  return (
    <nav className="tabs" aria-label="Views of the run" ref={tabs}>
      {RUN_TABS.map((name) => (
        <Link
          key={name}
          to={runPath(id, name)}
          aria-current={name === current ? "page" : undefined}
        >
          {name}
        </Link>
      ))}
    </nav>
  );
}
