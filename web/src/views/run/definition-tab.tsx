// The document as it was submitted.

import { useState } from "react";
import { send } from "../../api/client";
import { specAddress } from "../../api/endpoints";
import type { Run } from "../../api/types";
import { useActions } from "../../components/actions";
import { Button } from "../../components/button";
import { Empty, Fault, Loading } from "../../components/faults";
import { NumberedText } from "../../components/numbered-text";
import { saveText } from "../../hooks/save";
import { useResource } from "../../hooks/use-resource";
import { navigate } from "../../router/navigation";
import { keepDraft } from "../submit/draft";

interface Spec {
  text: string;
  type: string;
}

export function DefinitionTab({ run }: { run: Run }) {
  const { say } = useActions();
  const [wrap, setWrap] = useState(false);
  const spec = useResource<Spec>(`spec:${run.id}`, async (signal) => {
    const answer = await send(specAddress(run.id), { signal });
    return { text: await answer.text(), type: answer.headers.get("Content-Type") ?? "" };
  });
  if (spec.error?.status === 404) {
    return (
      <Empty title="No document is kept for this run">
        <p>It was submitted from a program or from a shell on the server's machine.</p>
        {run.source ? <code>{run.source}</code> : null}
      </Empty>
    );
  }
  if (spec.error) return <Fault error={spec.error} onRetry={spec.reload} />;
  if (!spec.value) return <Loading what="the document" />;
  const { text, type } = spec.value;
  const name = fileName(run, type);
  return (
    <div className="definition">
      <div className="toolbar">
        <strong>{name}</strong>
        <span className="muted">{run.dialect}</span>
        <span className="toolbar-end">
          <label className="tick">
            <input
              type="checkbox"
              checked={wrap}
              onChange={(event) => setWrap(event.target.checked)}
            />
            Wrap lines
          </label>
          {navigator.clipboard ? (
            // A browser gives no clipboard to pages that come over plain HTTP from elsewhere.
            <Button
              label="Copy"
              mark="file"
              onClick={() => void navigator.clipboard.writeText(text).then(() => say("Copied."))}
            />
          ) : null}
          <Button label="Download" mark="down" onClick={() => saveText(name, text)} />
          <Button
            label="Submit again"
            mark="again"
            least="operator"
            onClick={() => {
              keepDraft({ document: text, path: name, dialect: run.dialect, tags: run.tags });
              navigate("/submit");
            }}
          />
        </span>
      </div>
      <NumberedText text={text} wrap={wrap} />
      {Object.keys(run.parameters ?? {}).length > 0 ? (
        <section>
          <h2>Parameters</h2>
          <NumberedText text={JSON.stringify(run.parameters, null, 2)} wrap={wrap} />
        </section>
      ) : null}
    </div>
  );
}

function fileName(run: Run, type: string): string {
  const kept = run.source?.split("/").pop();
  if (kept && /\.\w+$/.test(kept)) return kept;
  return `${run.workflow}.${type.includes("json") ? "json" : "yaml"}`;
}
