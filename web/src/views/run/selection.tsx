// What can be done to the tasks that are ticked.

import { holdTask, killTask, releaseTask, requeueRun } from "../../api/endpoints";
import type { Run, TaskRow } from "../../api/types";
import { useActions } from "../../components/actions";
import { Button } from "../../components/button";
import { isFinal } from "../../model/states";
import { plural } from "../../model/times";

export function Selection({
  run,
  tasks,
  onClear,
  onChanged,
}: {
  run: Run;
  tasks: TaskRow[];
  onClear: () => void;
  onChanged: () => void;
}) {
  const { ask, now } = useActions();
  const living = tasks.filter((task) => !isFinal(task.state));
  const over = tasks.filter((task) => isFinal(task.state));
  const held = tasks.filter((task) => task.held);
  const free = tasks.filter(
    (task) => !task.held && (task.state === "waiting" || task.state === "ready"),
  );
  const finished = () => {
    onClear();
    onChanged();
  };
  return (
    <section className="selection" aria-label="Ticked tasks">
      <strong>{plural(tasks.length, "task")} ticked</strong>
      <span className="buttons">
        <Button
          label={`Requeue ${over.length || ""}`}
          mark="again"
          least="operator"
          refusal={over.length === 0 ? "None of them has ended." : null}
          onClick={() =>
            ask({
              title: `Requeue ${plural(over.length, "task")}?`,
              effect: <Effect words="They run again, also those that succeeded:" tasks={over} />,
              verb: "Requeue",
              perform: async () => {
                await requeueRun(run.id, {
                  tasks: over.map((task) => task.name),
                  onlyFailed: false,
                  force: over.some((task) => task.state === "succeeded"),
                });
                finished();
              },
              done: `${plural(over.length, "task")} will run again.`,
            })
          }
        />
        <Button
          label={`Kill ${living.length || ""}`}
          mark="stop"
          kind="danger"
          least="operator"
          refusal={living.length === 0 ? "All of them have ended." : null}
          onClick={() =>
            ask({
              title: `Kill ${plural(living.length, "task")}?`,
              effect: <Effect words="They are stopped, or kept from starting:" tasks={living} />,
              verb: "Kill",
              danger: true,
              reason: "optional",
              perform: async (reason) => {
                for (const task of living) await killTask(run.id, task.name, reason);
                finished();
              },
              done: `${plural(living.length, "task")} are being stopped.`,
            })
          }
        />
        <Button
          label={`Hold ${free.length || ""}`}
          mark="lock"
          least="operator"
          refusal={free.length === 0 ? "None of them waits for its start." : null}
          onClick={() =>
            void now(
              async () => {
                for (const task of free) await holdTask(run.id, task.name);
                finished();
              },
              `${plural(free.length, "task")} held.`,
            )
          }
        />
        <Button
          label={`Release ${held.length || ""}`}
          mark="unlock"
          least="operator"
          refusal={held.length === 0 ? "None of them is held." : null}
          onClick={() =>
            void now(
              async () => {
                for (const task of held) await releaseTask(run.id, task.name);
                finished();
              },
              `${plural(held.length, "task")} released.`,
            )
          }
        />
        <Button label="Untick" onClick={onClear} />
      </span>
    </section>
  );
}

function Effect({ words, tasks }: { words: string; tasks: TaskRow[] }) {
  const named = tasks.slice(0, 8);
  return (
    <>
      <p>{words}</p>
      <ul className="names">
        {named.map((task) => (
          <li key={task.name}>
            {task.name} <span className="muted">({task.state})</span>
          </li>
        ))}
        {tasks.length > named.length ? <li>and {tasks.length - named.length} more</li> : null}
      </ul>
    </>
  );
}
