// The output of an attempt. Text nodes only: whatever a program prints, it stays text.

import { memo, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { send } from "../../api/client";
import { type LogStream, logAddress } from "../../api/endpoints";
import { MOST_BYTES } from "../../api/log-stream";
import type { Attempt, Run } from "../../api/types";
import { useActions } from "../../components/actions";
import { Button } from "../../components/button";
import { Fault } from "../../components/faults";
import { saveBlob } from "../../hooks/save";
import { useLog } from "../../hooks/use-log";
import { classesOf, type Piece } from "../../model/ansi";
import { type LogBlock, openLine } from "../../model/log-text";
import { bytes, plural } from "../../model/times";
import { useQuery } from "../../router/navigation";

const STREAMS: readonly LogStream[] = ["stdout", "stderr", "executor-log"];

export function LogBox({ run, task, attempt }: { run: Run; task: string; attempt: Attempt }) {
  const [query, change] = useQuery();
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is being read does not change by itself.
  const first = useMemo(() => firstStream(attempt), [task, attempt.number]);
  const stream = STREAMS.find((name) => name === query.get("log")) ?? first;
  const [tall, setTall] = useState(false);
  const [wrap, setWrap] = useState(true);
  return (
    <section className="log" aria-label="Output">
      <div className="log-head">
        <div className="toggles" role="tablist" aria-label="Streams">
          {STREAMS.map((name) => (
            <button
              key={name}
              type="button"
              role="tab"
              className="toggle"
              aria-selected={name === stream}
              onClick={() => change({ log: name === first ? null : name })}
            >
              {name}
              <Size attempt={attempt} stream={name} />
            </button>
          ))}
        </div>
        <span className="buttons toolbar-end">
          <button
            type="button"
            className="button"
            aria-pressed={wrap}
            onClick={() => setWrap(!wrap)}
          >
            Wrap
          </button>
          <Download run={run} task={task} attempt={attempt} stream={stream} />
          <button
            type="button"
            className="button"
            aria-pressed={tall}
            onClick={() => setTall(!tall)}
          >
            Tall
          </button>
        </span>
      </div>
      <LogText
        key={`${attempt.number} ${stream}`}
        run={run}
        task={task}
        attempt={attempt}
        stream={stream}
        wrap={wrap}
        tall={tall}
      />
    </section>
  );
}

/** Why something failed, programs say on stderr. */
function firstStream(attempt: Attempt): LogStream {
  return attempt.state === "failed" && (attempt.stderrBytes ?? 0) > 0 ? "stderr" : "stdout";
}

function Size({ attempt, stream }: { attempt: Attempt; stream: LogStream }) {
  const size =
    stream === "stdout" ? attempt.stdoutBytes : stream === "stderr" ? attempt.stderrBytes : null;
  return size === null ? null : <span className="count">{bytes(size)}</span>;
}

function Download({
  run,
  task,
  attempt,
  stream,
}: {
  run: Run;
  task: string;
  attempt: Attempt;
  stream: LogStream;
}) {
  const { now } = useActions();
  const save = () =>
    now(async () => {
      const answer = await send(logAddress(run.id, task, attempt.number, stream));
      const name = `${task.replaceAll(/[^\w.@+-]+/g, "_")}.${attempt.number}.${stream}.txt`;
      saveBlob(name, await answer.blob());
    }, "The log is in your downloads.");
  return <Button label="Download" mark="down" small onClick={() => void save()} />;
}

function LogText({
  run,
  task,
  attempt,
  stream,
  wrap,
  tall,
}: {
  run: Run;
  task: string;
  attempt: Attempt;
  stream: LogStream;
  wrap: boolean;
  tall: boolean;
}) {
  const [fromStart, setFromStart] = useState(false);
  const [stuck, setStuck] = useState(true);
  const box = useRef<HTMLElement>(null);
  const view = useLog({
    run: run.id,
    task,
    attempt: attempt.number,
    stream,
    follow: attempt.endedAt === null && stream !== "executor-log",
    fromStart,
  });
  const { log } = view;
  // biome-ignore lint/correctness/useExhaustiveDependencies: whenever text has come, and the reader is at its end.
  useLayoutEffect(() => {
    if (stuck && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [log, stuck, tall, wrap]);
  useEffect(() => {
    if (fromStart && box.current) box.current.scrollTop = 0;
  }, [fromStart]);

  if (attempt.outputGone && stream !== "executor-log") {
    return <p className="log-note">The folder that held this output is gone.</p>;
  }
  if (view.error) {
    return view.error.status === 404 ? (
      <p className="log-note">{view.error.message}</p>
    ) : (
      <Fault error={view.error} />
    );
  }
  // Of what has ended, more than this was not asked for.
  const beginning =
    log.cut || (fromStart && view.status === "ended" && view.totalBytes > MOST_BYTES);
  const nothing = log.lineCount === 0 && log.open === "" && view.status !== "loading";
  return (
    <>
      {view.skippedBytes > 0 ? (
        <p className="log-note">
          {bytes(view.skippedBytes)} before this are not shown.{" "}
          <button
            type="button"
            className="link"
            onClick={() => {
              setStuck(false);
              setFromStart(true);
            }}
          >
            Load from the start
          </button>
        </p>
      ) : null}
      {log.dropped > 0 ? (
        <p className="log-note">
          {log.dropped.toLocaleString("en")} earlier lines were let go; the download has them all.
        </p>
      ) : null}
      <section
        ref={box}
        className={`log-text ${wrap ? "wrap" : ""} ${tall ? "tall" : ""}`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
        tabIndex={0}
        aria-label={`${stream} of attempt ${attempt.number}`}
        onScroll={(event) => {
          const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
          setStuck(scrollHeight - scrollTop - clientHeight < 24);
        }}
      >
        {nothing ? (
          <p className="muted">Nothing was written{attempt.endedAt ? "." : " yet."}</p>
        ) : null}
        {log.blocks.map((block) => (
          <Block key={block.number} block={block} />
        ))}
        {log.open ? <Line pieces={openLine(log)} /> : null}
      </section>
      {beginning ? (
        <p className="log-note">
          This is the beginning of {bytes(view.totalBytes)}; the download has everything.
        </p>
      ) : null}
      <p className="log-foot">
        <span className={`live ${view.status === "following" ? "live" : view.status}`}>
          {view.status === "following" || view.status === "reconnecting" ? (
            <>
              <span className="dot" aria-hidden="true" />
              {view.status}
            </>
          ) : (
            `${beginning ? "the first " : ""}${plural(log.lineCount, "line")}`
          )}
        </span>
        {stuck || nothing ? null : (
          <button type="button" className="link" onClick={() => setStuck(true)}>
            ↓ To the end
          </button>
        )}
      </p>
    </>
  );
}

const Block = memo(function Block({ block }: { block: LogBlock }) {
  return block.lines.map((pieces, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: lines of a block never move.
    <Line key={index} pieces={pieces} />
  ));
});

function Line({ pieces }: { pieces: Piece[] }) {
  return (
    <div className="log-line">
      {pieces.map((piece, index) => {
        const classes = classesOf(piece.style);
        if (!classes) return piece.text;
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: pieces of a line never move.
          <span key={index} className={classes}>
            {piece.text}
          </span>
        );
      })}
      {pieces.length === 0 ? "\u00a0" : null}
    </div>
  );
}
