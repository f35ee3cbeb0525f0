// What can be done to a whole run. What cannot be taken back is asked once more.

import { deleteRun, killRun, pauseRun, requeueRun, resumeRun } from "../../api/endpoints";
import type { RunSummary } from "../../api/types";
import { useActions } from "../../components/actions";
import { Button } from "../../components/button";
import { isFinal, sum } from "../../model/states";
import { plural } from "../../model/times";
import { navigate } from "../../router/navigation";

export function RunButtons({
  run,
  onChanged,
  small,
}: {
  run: RunSummary;
  onChanged: () => void;
  small?: boolean;
}) {
  const { ask, now } = useActions();
  const over = isFinal(run.state);
  const paused = run.state === "paused";
  const act = async (perform: () => Promise<unknown>, done: string) => {
    await now(perform, done);
    onChanged();
  };
  return (
    <span className="buttons">
      {over ? null : (
        <Button
          label={paused ? "Resume" : "Pause"}
          mark={paused ? "play" : "pause"}
          small={small ?? false}
          least="operator"
          onClick={() =>
            void act(
              () => (paused ? resumeRun(run.id) : pauseRun(run.id)),
              paused ? `${run.id} goes on.` : `${run.id} starts nothing more; what runs goes on.`,
            )
          }
        />
      )}
      {over ? null : (
        <Button
          label="Kill"
          mark="stop"
          kind="danger"
          small={small ?? false}
          least="operator"
          refusal={run.cancelling ? "It is being stopped already." : null}
          onClick={() =>
            ask({ ...killing(run), perform: then(onChanged, (why) => killRun(run.id, why)) })
          }
        />
      )}
      {canRequeue(run) ? (
        <Button
          label="Requeue failed"
          mark="again"
          small={small ?? false}
          least="operator"
          onClick={() =>
            ask({
              ...requeueing(run),
              perform: then(onChanged, () => requeueRun(run.id, { onlyFailed: true })),
            })
          }
        />
      ) : null}
      {over && !small ? (
        <Button
          label="Delete"
          mark="bin"
          kind="danger"
          least="admin"
          onClick={() =>
            ask({
              title: `Delete ${run.id}?`,
              effect: (
                <p>
                  Its {plural(run.taskCount, "task")}, their history and the folder that the server
                  made for them are removed. This cannot be undone.
                </p>
              ),
              verb: "Delete",
              danger: true,
              perform: async () => {
                await deleteRun(run.id);
                navigate("/");
              },
              done: `${run.id} is deleted.`,
            })
          }
        />
      ) : null}
    </span>
  );
}

const then =
  (after: () => void, perform: (reason: string) => Promise<unknown>) => async (reason: string) => {
    await perform(reason);
    after();
  };

/** Whether something of the run did not succeed and nothing of that is under way. */
function canRequeue(run: RunSummary): boolean {
  return sum(run.counts, ["failed", "cancelled"]) > 0 && !run.cancelling;
}

function killing(run: RunSummary) {
  const outside = sum(run.counts, ["submitting", "submitted", "running"]);
  const open = sum(run.counts, ["waiting", "ready"]);
  return {
    title: `Kill ${run.id}?`,
    effect: (
      <p>
        {plural(outside, "task")} under way will be stopped, and {plural(open, "task")} will not
        start. What they have written so far is kept. The run can be requeued later.
      </p>
    ),
    verb: "Kill the run",
    danger: true,
    reason: "optional" as const,
    done: `${run.id} is being stopped.`,
  };
}

function requeueing(run: RunSummary) {
  const bad = sum(run.counts, ["failed", "cancelled"]);
  const skipped = sum(run.counts, ["skipped"]);
  return {
    title: `Requeue what failed in ${run.id}?`,
    effect: (
      <p>
        {plural(bad, "task")} that failed or {bad === 1 ? "was" : "were"} cancelled will run again
        {skipped > 0 ? `, and ${plural(skipped, "skipped task")} behind may get a chance` : ""}.
        What succeeded stays.
      </p>
    ),
    verb: "Requeue",
    done: `${run.id} goes on.`,
  };
}
