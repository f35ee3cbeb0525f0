// A text with numbered lines; lines with problems are marked.

import { type Ref, useImperativeHandle, useMemo, useRef } from "react";
import type { Problem } from "../../api/types";
import { lineStart, problemLines } from "../../model/problem-lines";
import type { Draft } from "./draft";

export interface EditorHandle {
  /** Put the caret at the beginning of a line, counted from 1. */
  goTo: (line: number) => void;
}

/** The height of a line in pixels; the style sheet says the same. */
const LINE_PX = 19;

export function Editor({
  draft,
  problems,
  onChange,
  onPath,
  onFiles,
  ref,
}: {
  draft: Draft;
  problems: readonly Problem[];
  onChange: (text: string) => void;
  onPath: (path: string) => void;
  onFiles: (files: FileList) => void;
  ref: Ref<EditorHandle>;
}) {
  const field = useRef<HTMLTextAreaElement>(null);
  const gutter = useRef<HTMLDivElement>(null);
  const lineCount = useMemo(() => draft.document.split("\n").length, [draft.document]);
  const marks = useMemo(() => problemLines(problems, draft.path), [problems, draft.path]);

  const follow = () => {
    if (gutter.current && field.current) gutter.current.scrollTop = field.current.scrollTop;
  };
  useImperativeHandle(ref, () => ({
    goTo: (line) => {
      const text = field.current;
      if (!text) return;
      const at = lineStart(text.value, line);
      text.focus();
      text.setSelectionRange(at, at + (text.value.slice(at).split("\n")[0]?.length ?? 0));
      text.scrollTop = Math.max(0, (line - 4) * LINE_PX);
      follow();
    },
  }));
  return (
    <section className="editor" aria-label="Workflow">
      <div className="toolbar">
        <label className="path">
          <span className="unseen">Name of the file</span>
          <input
            value={draft.path}
            placeholder="workflow.yaml"
            spellCheck={false}
            onChange={(event) => onPath(event.target.value)}
          />
        </label>
        <label className="button file-button">
          Choose a file
          <input
            type="file"
            className="unseen"
            multiple
            onChange={(event) => {
              if (event.target.files) onFiles(event.target.files);
              event.target.value = "";
            }}
          />
        </label>
      </div>
      <div className="editor-field">
        <div className="gutter" ref={gutter} aria-hidden="true">
          {Array.from({ length: lineCount }, (_, index) => {
            const mark = marks.get(index + 1);
            return (
              // biome-ignore lint/suspicious/noArrayIndexKey: a line is its number.
              <span key={index} className={mark ? `mark-${mark}` : undefined}>
                {index + 1}
              </span>
            );
          })}
        </div>
        <textarea
          ref={field}
          aria-label="The workflow's text"
          value={draft.document}
          placeholder="Paste a workflow here: a LUTE, Maestro or Daggy document"
          spellCheck={false}
          autoCapitalize="off"
          autoCorrect="off"
          wrap="off"
          onScroll={follow}
          onChange={(event) => onChange(event.target.value)}
        />
      </div>
    </section>
  );
}
