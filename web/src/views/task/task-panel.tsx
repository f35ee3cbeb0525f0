// One task: how it is, why, what it printed, and what can be done.

import { useEffect, useRef } from "react";
import { fetchTask } from "../../api/endpoints";
import type { Attempt, Run, Task } from "../../api/types";
import { Fault, Loading } from "../../components/faults";
import { Mark } from "../../components/icons";
import { StateBadge } from "../../components/state";
import { useResource } from "../../hooks/use-resource";
import { stepsOnPage } from "../../model/hints";
import { endInWords } from "../../model/states";
import { useQuery } from "../../router/navigation";
import { Attempts } from "./attempts";
import { LogBox } from "./log-box";
import { Neighbours } from "./neighbours";
import { TaskButtons } from "./task-buttons";
import { TaskDefinition } from "./task-definition";

export function TaskPanel({
  run,
  name,
  tick,
  onClose,
  onChanged,
}: {
  run: Run;
  name: string;
  tick: number;
  onClose: () => void;
  onChanged: () => void;
}) {
  const task = useResource(
    `task:${run.id}:${name}`,
    (signal) => fetchTask(run.id, name, signal),
    tick,
  );
  const panel = useRef<HTMLElement>(null);
  useEffect(() => {
    // On a phone the panel is the whole page: begin at its top.
    if (matchMedia("(max-width: 1100px)").matches) panel.current?.scrollIntoView();
  }, []);
  const changed = () => {
    task.reload();
    onChanged();
  };
  return (
    <aside className="panel" ref={panel} aria-label={`Task ${name}`}>
      <header className="panel-head">
        <button
          type="button"
          className="button small"
          aria-label="Close the task"
          onClick={onClose}
        >
          <Mark name="close" />
        </button>
        <h2>{name}</h2>
        {task.value ? <StateBadge state={task.value.state} note={noteOf(task.value)} /> : null}
        {task.value?.held ? (
          <span className="tag">
            <Mark name="lock" /> held
          </span>
        ) : null}
      </header>
      {task.error ? <Fault error={task.error} onRetry={task.reload} /> : null}
      {task.loading ? <Loading what="the task" /> : null}
      {task.value ? <Body run={run} task={task.value} onChanged={changed} /> : null}
    </aside>
  );
}

function Body({ run, task, onChanged }: { run: Run; task: Task; onChanged: () => void }) {
  const [query, change] = useQuery();
  const attempt = chosenAttempt(task.attemptList, query.get("attempt"));
  const hints = stepsOnPage(task.why?.hints ?? []);
  return (
    <div className="panel-body">
      <TaskButtons run={run} task={task} onChanged={onChanged} />
      {task.why?.sentence && task.state !== "succeeded" ? (
        <div className={`why why-${task.state}`}>
          <p className="sentence">{task.why.sentence}</p>
          {hints.length > 0 ? (
            <ul>
              {hints.map((hint) => (
                <li key={hint}>{hint.startsWith("segue ") ? <code>{hint}</code> : hint}</li>
              ))}
            </ul>
          ) : null}
        </div>
      ) : null}
      {attempt ? (
        <>
          <Attempts
            attempts={task.attemptList}
            chosen={attempt.number}
            onChoose={(number) =>
              change({
                attempt: number === task.attemptList.at(-1)?.number ? null : String(number),
              })
            }
          />
          <LogBox run={run} task={task.name} attempt={attempt} />
        </>
      ) : (
        <p className="muted">It has not been started: there is no output yet.</p>
      )}
      <TaskDefinition task={task} />
      <Neighbours
        run={run}
        title="Needs"
        neighbours={task.needs}
        count={task.needCount}
        none="It needs no other task."
      />
      <Neighbours
        run={run}
        title="Dependents"
        neighbours={task.dependents}
        count={task.dependentCount}
        none="No task waits for it."
      />
    </div>
  );
}

/** The attempt of the address, or the newest one. */
function chosenAttempt(attempts: Attempt[], wanted: string | null): Attempt | undefined {
  const newest = attempts.reduce<Attempt | undefined>(
    (found, attempt) => (found && found.number > attempt.number ? found : attempt),
    undefined,
  );
  return attempts.find((attempt) => String(attempt.number) === wanted) ?? newest;
}

function noteOf(task: Task): string | undefined {
  if (task.state === "succeeded" || task.state === "running") return undefined;
  return endInWords(task) || undefined;
}
