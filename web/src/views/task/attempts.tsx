import { Fragment, type ReactNode } from "react";
import type { Attempt } from "../../api/types";
import { StateBadge } from "../../components/state";
import { Exact, Seconds, Took } from "../../components/time";
import { colourState } from "../../model/gantt";
import { endInWords } from "../../model/states";
import { bytes, duration } from "../../model/times";

/** Each attempt, the chosen one in full. */
export function Attempts({
  attempts,
  chosen,
  onChoose,
}: {
  attempts: Attempt[];
  chosen: number;
  onChoose: (number: number) => void;
}) {
  const attempt = attempts.find((one) => one.number === chosen);
  return (
    <section className="attempts">
      <div className="section-head">
        <h3>{attempts.length > 1 ? "Attempts" : "Attempt"}</h3>
        {attempts.length > 1 ? (
          <div className="toggles">
            {attempts.map((one) => (
              <button
                key={one.number}
                type="button"
                className="toggle"
                aria-pressed={one.number === chosen}
                onClick={() => onChoose(one.number)}
              >
                <span className={`dot fill-${colourState(one.state)}`} aria-hidden="true" />
                {one.number}
                <span className="unseen"> {one.state}</span>
              </button>
            ))}
          </div>
        ) : null}
      </div>
      {attempt ? <Facts attempt={attempt} /> : null}
    </section>
  );
}

/** What may be long. */
const WIDE: readonly string[] = ["state", "message", "job"];

function Facts({ attempt }: { attempt: Attempt }) {
  const rows: [string, ReactNode][] = [
    [
      "state",
      <StateBadge
        key="state"
        state={attempt.state}
        note={attempt.state === "succeeded" ? undefined : endInWords(attempt) || undefined}
      />,
    ],
    [
      "took",
      attempt.endedAt ? (
        <Seconds key="took" value={attempt.durationSeconds} />
      ) : (
        <Took key="took" from={attempt.startedAt} to={null} />
      ),
    ],
    [
      "in the queue",
      attempt.startedAt || attempt.endedAt ? (
        <Seconds key="wait" value={attempt.waitSeconds} />
      ) : (
        <Took key="wait" from={attempt.submittedAt} to={null} />
      ),
    ],
    ["started", <Exact key="started" time={attempt.startedAt} />],
    ["ended", <Exact key="ended" time={attempt.endedAt} />],
  ];
  const also: [string, ReactNode | null][] = [
    ["CPU time", attempt.cpuSeconds === null ? null : duration(attempt.cpuSeconds)],
    ["peak memory", attempt.peakRssBytes === null ? null : bytes(attempt.peakRssBytes)],
    ["node", attempt.node],
    ["place", attempt.place === attempt.node ? null : attempt.place],
    ["job", attempt.jobId],
    ["restarted", attempt.restarted ? "yes" : null],
    ["message", attempt.message],
  ];
  return (
    <dl className="facts grid">
      {[...rows, ...also].map(([label, value]) =>
        value === null || value === "" ? null : (
          <Fragment key={label}>
            <div className={WIDE.includes(label) ? "wide" : undefined}>
              <dt>{label}</dt>
              <dd>{value}</dd>
            </div>
          </Fragment>
        ),
      )}
    </dl>
  );
}
