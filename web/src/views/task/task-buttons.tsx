// What can be done to one task.

import { useState } from "react";
import { holdTask, killTask, markCompleted, releaseTask } from "../../api/endpoints";
import type { Run, Task } from "../../api/types";
import { useActions } from "../../components/actions";
import { Button } from "../../components/button";
import { isFinal, isOutside } from "../../model/states";
import { plural } from "../../model/times";
import { RequeueDialog } from "./requeue-dialog";

export function TaskButtons({
  run,
  task,
  onChanged,
}: {
  run: Run;
  task: Task;
  onChanged: () => void;
}) {
  const { ask, now } = useActions();
  const [requeueing, setRequeueing] = useState(false);
  const { name, state } = task;
  const waits = state === "waiting" || state === "ready";
  const behind = plural(task.dependentCount, "dependent");
  const hold = async () => {
    if (task.held) await now(() => releaseTask(run.id, name), `${name} is released.`);
    else await now(() => holdTask(run.id, name), `${name} is held.`);
    onChanged();
  };
  return (
    <span className="buttons panel-buttons">
      {isFinal(state) ? (
        <Button
          label="Requeue …"
          mark="again"
          least="operator"
          onClick={() => setRequeueing(true)}
        />
      ) : null}
      {isFinal(state) ? null : (
        <Button
          label="Kill"
          mark="stop"
          kind="danger"
          least="operator"
          onClick={() =>
            ask({
              title: `Kill ${name}?`,
              effect: (
                <p>
                  {isOutside(state)
                    ? "Its processes are stopped; what it has written is kept."
                    : "It will not start."}{" "}
                  Its {behind} will be skipped, unless a trigger rule says otherwise.
                </p>
              ),
              verb: "Kill the task",
              danger: true,
              reason: "optional",
              perform: async (reason) => {
                await killTask(run.id, name, reason);
                onChanged();
              },
              done: `${name} is being stopped.`,
            })
          }
        />
      )}
      {waits || task.held ? (
        <Button
          label={task.held ? "Release" : "Hold"}
          mark={task.held ? "unlock" : "lock"}
          least="operator"
          onClick={() => void hold()}
        />
      ) : null}
      {state === "failed" || state === "cancelled" || state === "skipped" || state === "waiting" ? (
        <Button
          label="Mark completed"
          mark="check"
          least="operator"
          onClick={() =>
            ask({
              title: `Mark ${name} as completed?`,
              effect: (
                <p>
                  It counts as succeeded without having run, and its {behind} may start. The history
                  says who decided this, and why.
                </p>
              ),
              verb: "Mark completed",
              reason: "required",
              perform: async (reason) => {
                await markCompleted(run.id, name, reason);
                onChanged();
              },
              done: `${name} counts as succeeded.`,
            })
          }
        />
      ) : null}
      {requeueing ? (
        <RequeueDialog
          run={run}
          task={task}
          onClose={() => setRequeueing(false)}
          onDone={() => {
            setRequeueing(false);
            onChanged();
          }}
        />
      ) : null}
    </span>
  );
}
