import type { ReactNode } from "react";
import type { Problem, Run } from "../../api/types";
import { Mark } from "../../components/icons";
import { LiveBadge } from "../../components/live-badge";
import { StateBadge, StateBar, StateCounts } from "../../components/state";
import { Ago, Took } from "../../components/time";
import { useEstimate } from "../../hooks/use-estimate";
import type { RunFeed } from "../../hooks/use-live";
import { BAR_STATES, isFinal, sum } from "../../model/states";
import { Link } from "../../router/navigation";
import { runPath } from "../../router/route";
import { noteOf, Tags } from "../runs/runs-table";
import { RunButtons } from "./run-buttons";

/** The run at a glance: state, progress, times, and what can be done. */
export function RunHead({
  run,
  feed,
  onChanged,
}: {
  run: Run;
  feed: RunFeed;
  onChanged: () => void;
}) {
  const ended = sum(run.counts, ["succeeded", "failed", "skipped", "cancelled"]);
  const estimate = useEstimate(run, feed.tick);
  return (
    <header className="run-head">
      <div className="run-title">
        <nav aria-label="Path" className="crumbs">
          <Link to="/">Runs</Link>
        </nav>
        <h1 title={run.workflow}>{run.workflow}</h1>
        <StateBadge state={run.state} note={noteOf(run)} />
        {isFinal(run.state) ? null : <LiveBadge status={feed.status} />}
        <span className="id">{run.id}</span>
        <Tags run={run} />
        <span className="run-actions">
          <RunButtons run={run} onChanged={onChanged} />
        </span>
      </div>
      {run.description ? <p className="run-description">{run.description}</p> : null}
      <div className="run-progress">
        <StateBar counts={run.counts} />
        <div className="run-figures">
          <strong>
            {ended.toLocaleString("en")} of {run.taskCount.toLocaleString("en")} ended
          </strong>
          <StateCounts run={run.id} counts={run.counts} states={BAR_STATES} />
        </div>
      </div>
      {run.problem && !isFinal(run.state) ? (
        <p className="obstacle" role="status">
          <Mark name="warning" />
          <span>
            <strong>No engine can take this run up.</strong> {run.problem}
          </span>
        </p>
      ) : null}
      <dl className="facts">
        <Fact label="started">
          <Ago time={run.startedAt ?? run.createdAt} />
        </Fact>
        {run.endedAt ? (
          <Fact label="ended">
            <Ago time={run.endedAt} />
          </Fact>
        ) : null}
        <Fact label={run.endedAt ? "took" : "takes"}>
          <Took from={run.startedAt} to={run.endedAt} />
        </Fact>
        {estimate ? (
          <Fact label="likely end">
            <Ago time={estimate} />
          </Fact>
        ) : null}
        <Fact label="dialect">{run.dialect}</Fact>
        {run.pool ? <Fact label="pool">{run.pool}</Fact> : null}
        {run.limit ? <Fact label="at once">{run.limit}</Fact> : null}
        {run.submittedBy ? <Fact label="by">{run.submittedBy}</Fact> : null}
        {run.continues ? (
          <Fact label="continues">
            <Link to={runPath(run.continues)}>{run.continues}</Link>
          </Fact>
        ) : null}
        {run.continuedBy ? (
          <Fact label="continued by">
            <Link to={runPath(run.continuedBy)}>{run.continuedBy}</Link>
          </Fact>
        ) : null}
        {run.engine ? (
          <Fact label="engine" wide>
            {run.engine.host}:{run.engine.processId}
            {run.engine.alive ? "" : " (gone)"}
          </Fact>
        ) : null}
        {run.workspace ? (
          <Fact label="workspace" wide>
            <code title={run.workspace}>{run.workspace}</code>
          </Fact>
        ) : null}
      </dl>
      {run.warnings?.length ? (
        <details className="warnings">
          <summary>
            {run.warnings.length} warning{run.warnings.length === 1 ? "" : "s"} of the document
          </summary>
          <ul>
            {run.warnings.map((warning) => (
              <li key={wordsOf(warning)}>{wordsOf(warning)}</li>
            ))}
          </ul>
        </details>
      ) : null}
    </header>
  );
}

const wordsOf = (warning: Problem | string): string =>
  typeof warning === "string" ? warning : warning.message;

function Fact({ label, wide, children }: { label: string; wide?: boolean; children: ReactNode }) {
  return (
    <div className={wide ? "wide-only" : undefined}>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}
