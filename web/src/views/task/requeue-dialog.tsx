// Run a task again, as it was or with some of it changed.

import { useState } from "react";
import type { ApiError } from "../../api/client";
import { requeueRun } from "../../api/endpoints";
import type { Run, Task, TaskPatch } from "../../api/types";
import { useActions } from "../../components/actions";
import { Dialog } from "../../components/dialog";
import { Fault } from "../../components/faults";
import { asApiError } from "../../hooks/use-resource";
import {
  changedPairs,
  commandText,
  definitionMember,
  environmentLines,
  parseCommand,
  parsePairs,
} from "../../model/commands";
import { plural } from "../../model/times";

interface Edits {
  script: string;
  command: string;
  environment: string;
  timeout: string;
}

export function RequeueDialog({
  run,
  task,
  onClose,
  onDone,
}: {
  run: Run;
  task: Task;
  onClose: () => void;
  onDone: () => void;
}) {
  const { say } = useActions();
  const [before] = useState<Edits>(() => editsOf(task));
  const [edits, setEdits] = useState<Edits>(before);
  const [descendants, setDescendants] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const faults = parsePairs(edits.environment).faults;
  if (before.command && !parseCommand(edits.command)) {
    faults.push("The command is neither one argument a line nor a JSON list of texts.");
  }
  const succeeded = task.state === "succeeded";
  const requeue = async () => {
    setBusy(true);
    const patch = patchOf(before, edits);
    try {
      await requeueRun(run.id, {
        tasks: [task.name],
        onlyFailed: !succeeded,
        includeDescendants: descendants,
        force: succeeded || descendants,
        ...(patch ? { patch: { [task.name]: patch } } : {}),
      });
      say(`${task.name} will run again.`);
      onDone();
    } catch (fault) {
      setError(asApiError(fault));
      setBusy(false);
    }
  };
  const field = (name: keyof Edits) => ({
    value: edits[name],
    onChange: (event: { target: { value: string } }) =>
      setEdits({ ...edits, [name]: event.target.value }),
  });
  return (
    <Dialog title={`Requeue ${task.name}`} onClose={onClose} wide>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void requeue();
        }}
      >
        <p className="dialog-text">
          {succeeded
            ? `It has succeeded; it will run again, and so will its ${plural(task.dependentCount, "dependent")}.`
            : "It will run again; what was skipped behind it gets its chance."}{" "}
          Its earlier attempts stay in the history.
        </p>
        <details>
          <summary>Change it first</summary>
          {before.script ? (
            <label className="field">
              <span>Script</span>
              <textarea rows={8} spellCheck={false} {...field("script")} />
            </label>
          ) : null}
          {before.command ? (
            <label className="field">
              <span>Command, one argument a line</span>
              <textarea
                rows={Math.min(10, before.command.split("\n").length + 1)}
                spellCheck={false}
                {...field("command")}
              />
            </label>
          ) : null}
          <label className="field">
            <span>Environment, NAME=value lines</span>
            <textarea rows={4} spellCheck={false} {...field("environment")} />
          </label>
          {faults.map((fault) => (
            <p key={fault} className="field-fault">
              {fault}
            </p>
          ))}
          <label className="field short">
            <span>Time limit in seconds</span>
            <input type="number" min="0" step="any" placeholder="none" {...field("timeout")} />
          </label>
        </details>
        {succeeded ? null : (
          <label className="tick">
            <input
              type="checkbox"
              checked={descendants}
              onChange={(event) => setDescendants(event.target.checked)}
            />
            Run everything behind it again, also what has succeeded
          </label>
        )}
        {error ? <Fault error={error} /> : null}
        <footer>
          <button type="button" className="button" onClick={onClose}>
            Leave it
          </button>
          <button
            type="submit"
            data-first
            className="button main"
            disabled={busy || faults.length > 0}
          >
            {busy ? "Working …" : "Requeue"}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

function editsOf(task: Task): Edits {
  const timeout = definitionMember(task.definition, "timeout_s");
  return {
    script: task.action?.text ?? "",
    command: task.action?.arguments ? commandText(task.action.arguments) : "",
    environment: environmentLines(task.definition),
    timeout: typeof timeout === "number" ? String(timeout) : "",
  };
}

/** Only what was changed: the rest stays as it is on the server. */
function patchOf(before: Edits, after: Edits): TaskPatch | null {
  const environment = changedPairs(before.environment, after.environment);
  const command = parseCommand(after.command);
  const patch: TaskPatch = {
    ...(after.script !== before.script ? { script: after.script } : {}),
    ...(command && after.command !== before.command ? { command } : {}),
    ...(Object.keys(environment).length > 0 ? { environment } : {}),
    ...(after.timeout !== before.timeout ? { timeoutSeconds: Number(after.timeout) } : {}),
  };
  return Object.keys(patch).length > 0 ? patch : null;
}
