// Submit a workflow: paste or drop it, see what is wrong with it, see its graph, run it.

import { lazy, Suspense, useEffect, useMemo, useRef, useState } from "react";
import { ApiError } from "../../api/client";
import { newKey, submit, validate } from "../../api/endpoints";
import type { Problem, Validation } from "../../api/types";
import { Button } from "../../components/button";
import { Fault, Loading } from "../../components/faults";
import { useServer } from "../../components/server";
import { useSettled } from "../../hooks/use-clock";
import { asApiError, useResource } from "../../hooks/use-resource";
import { plural } from "../../model/times";
import { navigate } from "../../router/navigation";
import { runPath } from "../../router/route";
import { type Draft, EMPTY_DRAFT, keptDraft, likelyConfig, saveDraft, submissionOf } from "./draft";
import { Editor, type EditorHandle } from "./editor";
import { type Purpose, readFiles } from "./files";
import { Options } from "./options";
import { Problems } from "./problems";

const GraphPicture = lazy(() =>
  import("../run/graph-picture").then((module) => ({ default: module.GraphPicture })),
);

const STILL = {
  expandable: false,
  opened: null,
  onExpand: () => undefined,
  onTask: () => undefined,
  onMore: () => undefined,
};

export function SubmitView() {
  const [draft, setDraft] = useState<Draft>(keptDraft);
  const [error, setError] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(false);
  const [over, setOver] = useState(false);
  const editor = useRef<EditorHandle>(null);
  // The same text keeps its key: what was lost on the way back is not run twice.
  const sent = useRef<{ text: string; key: string } | null>(null);
  const server = useServer().value;
  const change = (part: Partial<Draft>) => {
    setError(null);
    setDraft((before) => ({ ...before, ...part }));
  };

  const submission = useMemo(() => submissionOf(draft), [draft]);
  const text = useMemo(() => JSON.stringify(submission), [submission]);
  const settled = useSettled(text, 350);
  const empty = draft.document.trim() === "";
  useEffect(() => saveDraft(draft), [draft]);
  const judged = useResource<Validation>(empty ? null : `validate ${settled}`, (signal) =>
    validate(JSON.parse(settled), signal),
  );
  // What was judged stays in view while the next text is judged.
  const last = useRef<Validation | null>(null);
  if (judged.value) last.current = judged.value;
  const verdict = empty ? null : (judged.value ?? (judged.error ? null : last.current));
  const problems: readonly Problem[] = verdict?.problems ?? judged.error?.problems ?? [];

  // A LUTE workflow runs with a configuration: of one file that came along nobody has to say so.
  const missed = problems.some((problem) => problem.code === "no_command");
  const config = missed && draft.config === "" ? likelyConfig(draft.files) : "";
  useEffect(() => {
    if (config) setDraft((before) => ({ ...before, config }));
  }, [config]);

  const run = async () => {
    setBusy(true);
    setError(null);
    try {
      if (sent.current?.text !== text) sent.current = { text, key: newKey() };
      const { id } = await submit(submission, sent.current.key);
      saveDraft(EMPTY_DRAFT);
      navigate(runPath(id));
    } catch (fault) {
      setError(inDoubt(asApiError(fault)));
      setBusy(false);
    }
  };
  const take = async (files: FileList, purpose: Purpose) =>
    // A list of files is emptied with its field: it is copied before anything is awaited.
    change(await readFiles([...files], purpose, draft));
  const tooLarge = server && text.length > server.bodyLimitBytes;
  const refusal = empty
    ? "Paste or choose a workflow first."
    : tooLarge
      ? `It is larger than the server takes (${server.bodyLimitBytes} bytes).`
      : verdict && !verdict.valid
        ? "The document has problems; see the list."
        : null;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: dropping is the mouse's way; a button does the same.
    <div
      className={over ? "submit-view over" : "submit-view"}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        void take(event.dataTransfer.files, "drop");
      }}
    >
      <div className="view-head">
        <h1>Submit</h1>
        <span className="muted wide-only">
          A workflow of any dialect: {server?.dialects.join(", ")}. Drop files anywhere.
        </span>
        <span className="toolbar-end buttons">
          {empty ? null : <Button label="Clear" mark="bin" onClick={() => setDraft(EMPTY_DRAFT)} />}
          <Button
            label={busy ? "Submitting …" : "Run"}
            mark="play"
            kind="main"
            least="operator"
            refusal={busy ? "It is being submitted." : refusal}
            onClick={() => void run()}
          />
        </span>
      </div>
      {error ? <Fault error={error} /> : null}
      <div className="submit-columns">
        <div className="submit-main">
          <Editor
            ref={editor}
            draft={draft}
            problems={problems}
            onChange={(document) => change({ document })}
            onPath={(path) => change({ path })}
            onFiles={(files) => void take(files, "document")}
          />
          <Verdict
            empty={empty}
            checking={judged.loading || settled !== text}
            verdict={verdict}
            error={judged.error}
          />
          <Problems
            problems={problems}
            path={draft.path}
            onLine={(line) => editor.current?.goTo(line)}
          />
        </div>
        <div className="submit-side">
          <Options draft={draft} change={change} onFiles={(files) => void take(files, "along")} />
        </div>
      </div>
      {verdict?.graph && verdict.graph.nodes.length > 0 ? (
        <section className="preview" aria-label="Preview of the graph">
          <h2>Preview</h2>
          <div className="picture small">
            <Suspense fallback={<Loading what="the graph" />}>
              <GraphPicture graph={verdict.graph} deeds={STILL} />
            </Suspense>
          </div>
        </section>
      ) : null}
    </div>
  );
}

/** An answer that was lost says nothing about the run; asking again is safe. */
function inDoubt(fault: ApiError): ApiError {
  if (fault.status !== 0) return fault;
  return new ApiError(0, {
    code: fault.code,
    detail: "The server has not answered: nobody knows here whether the run was submitted.",
    hint: "Run it again: if it was submitted, that run is found, and not a second one made.",
  });
}

function Verdict({
  empty,
  checking,
  verdict,
  error,
}: {
  empty: boolean;
  checking: boolean;
  verdict: Validation | null;
  error: ApiError | null;
}) {
  if (empty) return <p className="verdict muted">Nothing to check yet.</p>;
  if (error && error.problems.length === 0 && !checking) return <Fault error={error} />;
  const bad = verdict ? !verdict.valid : error !== null;
  const words = verdict?.valid
    ? `${verdict.workflow ?? "The workflow"} is fine: ${plural(verdict.taskCount ?? 0, "task")}, dialect ${verdict.dialect}`
    : bad
      ? `Not yet: ${plural((verdict?.problems ?? error?.problems ?? []).length, "problem")}`
      : "Checking …";
  return (
    <p className={`verdict ${checking ? "checking" : bad ? "bad" : "good"}`} role="status">
      {words}
    </p>
  );
}
