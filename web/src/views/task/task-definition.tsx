// What a task does: its command or script to read, and the whole definition as JSON.

import type { ReactNode } from "react";
import type { Json, Task } from "../../api/types";
import { NumberedText } from "../../components/numbered-text";
import { definitionMember, shellWords } from "../../model/commands";
import { triggerInWords } from "../../model/states";
import { duration, plural } from "../../model/times";

export function TaskDefinition({ task }: { task: Task }) {
  const environment = definitionMember(task.definition, "environment");
  return (
    <section className="task-definition">
      <h3>What it does</h3>
      {task.action?.text ? <NumberedText text={task.action.text} wrap /> : null}
      {task.action?.arguments ? (
        <pre className="command">{shellWords(task.action.arguments)}</pre>
      ) : null}
      {!task.action?.text && !task.action?.arguments ? (
        <p className="muted">{task.action?.kind ?? "nothing"}</p>
      ) : null}
      <Pairs title="Parameters" value={task.parameters} />
      <Pairs title="Environment" value={environment} />
      <Pairs title="Resources" value={task.resources} />
      <p className="muted">
        Template {task.template}. It starts when {triggerInWords(task.trigger)}.
        {retriesInWords(task.retry)}
        {task.generatedBy ? ` Made by ${task.generatedBy}.` : ""}
      </p>
      <details>
        <summary>The whole definition</summary>
        <NumberedText text={JSON.stringify(task.definition, null, 2)} wrap />
      </details>
    </section>
  );
}

/** " After a failure it is tried up to 2 more times, 30 s apart.", or nothing. */
function retriesInWords(retry: Task["retry"]): string {
  const limit = retry?.limit;
  if (typeof limit !== "number" || limit === 0) return "";
  const delay = retry?.delaySeconds;
  const apart = typeof delay === "number" && delay > 0 ? `, ${duration(delay)} apart` : "";
  return ` After a failure it is tried up to ${plural(limit, "more time")}${apart}.`;
}

function Pairs({ title, value }: { title: string; value: Json | undefined | null }) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const entries = Object.entries(value).filter(([, item]) => item !== null && item !== "");
  if (entries.length === 0) return null;
  return (
    <div className="pairs">
      <h4>{title}</h4>
      <dl>
        {entries.map(([key, item]) => (
          <div key={key}>
            <dt>{key}</dt>
            <dd>{shown(item)}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

const shown = (value: Json): ReactNode =>
  typeof value === "string" ? value : JSON.stringify(value);
