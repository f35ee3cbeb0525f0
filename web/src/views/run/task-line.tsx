import { memo, useEffect, useRef } from "react";
import type { Run, TaskRow } from "../../api/types";
import { Mark } from "../../components/icons";
import { StateBadge } from "../../components/state";
import { Ago, Seconds, Took } from "../../components/time";
import { endInWords } from "../../model/states";
import { Link } from "../../router/navigation";
import { taskPath } from "../../router/route";

/** One task as a line of the table. */
export const TaskLine = memo(function TaskLine({
  run,
  task,
  marked,
  opened,
  ticked,
  onTick,
}: {
  run: Run;
  task: TaskRow;
  marked: boolean;
  opened: boolean;
  ticked: boolean;
  onTick: (name: string) => void;
}) {
  const row = useRef<HTMLTableRowElement>(null);
  useEffect(() => {
    if (marked) row.current?.scrollIntoView({ block: "nearest" });
  }, [marked]);
  const classes = [marked ? "marked" : "", opened ? "opened" : ""].join(" ");
  return (
    <tr ref={row} className={classes} aria-current={opened || undefined}>
      <td className="cell-tick">
        <input
          type="checkbox"
          aria-label={`Tick ${task.name}`}
          checked={ticked}
          onChange={() => onTick(task.name)}
        />
      </td>
      <td className="cell-state">
        <StateBadge state={task.state} note={noteOf(task)} />
        {task.held ? (
          <span className="tag" title="It is held: it does not start until it is released.">
            <Mark name="lock" /> held
          </span>
        ) : null}
      </td>
      <td className="cell-name">
        <Link to={taskPath(run.id, task.name) + location.search} className="name">
          {task.name}
        </Link>
      </td>
      <td className="numeric" data-label="Tries">
        {task.attempts || <span className="muted">–</span>}
      </td>
      <td className="numeric wide-only" data-label="Queued">
        <Seconds value={task.waitSeconds} />
      </td>
      <td className="numeric" data-label="Took">
        {task.state === "running" ? (
          <Took from={task.startedAt} to={null} />
        ) : (
          <Seconds value={task.durationSeconds} />
        )}
      </td>
      <td data-label="Started">
        <Ago time={task.startedAt} />
      </td>
      <td className="numeric" data-label="Exit">
        {task.exitCode ?? <span className="muted">–</span>}
      </td>
      <td className="wide-only node" data-label="Node">
        {task.node ?? task.place ?? <span className="muted">–</span>}
      </td>
    </tr>
  );
});

function noteOf(task: TaskRow): string | undefined {
  if (task.state !== "failed" && task.state !== "skipped") return undefined;
  return task.cause === "exit_code" ? undefined : endInWords(task) || undefined;
}
