// What can be done to the tasks that are ticked.

import { askMany, requeueRun, type TasksVerb } from "../../api/endpoints";
import type { Run, TaskRow } from "../../api/types";
import { useActions } from "../../components/actions";
import { Button } from "../../components/button";
import { isFinal, isOutside } from "../../model/states";
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
  const undone = tasks.filter((task) => task.state !== "succeeded" && !isOutside(task.state));
  const finished = () => {
    onClear();
    onChanged();
  };
  /** Ask one thing of many tasks; how many could be asked, for some may have gone on meanwhile. */
  const together = async (verb: TasksVerb, chosen: TaskRow[], reason = "") => {
    const names = chosen.map((task) => task.name);
    const answer = await askMany(run.id, verb, names, reason);
    finished();
    return answer.asked;
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
                return over.length;
              },
              done: told("will run again", ""),
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
              perform: (reason) => together("kill", living, reason),
              done: told("will be stopped", ""),
            })
          }
        />
        <Button
          label={`Hold ${free.length || ""}`}
          mark="lock"
          least="operator"
          refusal={free.length === 0 ? "None of them waits for its start." : null}
          onClick={() => void now(() => together("hold", free), told("held"))}
        />
        <Button
          label={`Release ${held.length || ""}`}
          mark="unlock"
          least="operator"
          refusal={held.length === 0 ? "None of them is held." : null}
          onClick={() => void now(() => together("release", held), told("released"))}
        />
        <Button
          label={`Mark completed ${undone.length || ""}`}
          mark="check"
          least="operator"
          refusal={undone.length === 0 ? "All of them have succeeded, or are under way." : null}
          onClick={() =>
            ask({
              title: `Mark ${plural(undone.length, "task")} as completed?`,
              effect: (
                <Effect
                  words="They count as succeeded without having run, and what waits for them may start:"
                  tasks={undone}
                />
              ),
              verb: "Mark completed",
              reason: "required",
              perform: (reason) => together("markCompleted", undone, reason),
              done: told("marked as completed"),
            })
          }
        />
        <Button label="Untick" onClick={onClear} />
      </span>
    </section>
  );
}

const told =
  (what: string, verb = " are") =>
  (asked: number) =>
    asked === 1 && verb ? `1 task is ${what}.` : `${plural(asked, "task")}${verb} ${what}.`;

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
