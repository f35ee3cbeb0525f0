// States over time, and how many tasks end in a second.

import { fetchProgress } from "../../api/endpoints";
import type { Progress, Run } from "../../api/types";
import { Empty, Fault, Loading } from "../../components/faults";
import { StateIcon } from "../../components/icons";
import { Ago } from "../../components/time";
import { useNow } from "../../hooks/use-clock";
import { useResource } from "../../hooks/use-resource";
import { linePath, niceTop, STACK_STATES, smoothed, stackedLayers } from "../../model/stack";
import { parseTime, stillAhead } from "../../model/times";
import { PLOT_HEIGHT, PLOT_WIDTH, Plot } from "./plot";

const BINS = 160;
/** A rate is read over some bins: single ends would make a comb of it. */
const SMOOTH_BINS = 3;

export function PlotsTab({ run, tick }: { run: Run; tick: number }) {
  const progress = useResource(
    `progress:${run.id}`,
    (signal) => fetchProgress(run.id, BINS, signal),
    tick,
  );
  if (progress.error) return <Fault error={progress.error} onRetry={progress.reload} />;
  if (progress.loading || !progress.value) return <Loading what="the plots" />;
  const from = parseTime(progress.value.from);
  const to = parseTime(progress.value.to);
  if (from === null || to === null) return <Empty title="Nothing has happened yet" />;
  return (
    <div className="plots">
      <States progress={progress.value} from={from} to={to} />
      <Rates progress={progress.value} from={from} to={to} />
    </div>
  );
}

const perSecond = (rate: number): string =>
  rate.toLocaleString("en", { maximumFractionDigits: rate < 100 ? 2 : 0 });

interface Part {
  progress: Progress;
  from: number;
  to: number;
}

function States({ progress, from, to }: Part) {
  const layers = stackedLayers(progress.states, PLOT_WIDTH, PLOT_HEIGHT);
  const states = STACK_STATES.filter((state) => layers.some((layer) => layer.state === state));
  const bins = Math.max(0, ...states.map((state) => progress.states[state]?.length ?? 0));
  const total = Math.max(
    1,
    ...Array.from({ length: bins }, (_, bin) =>
      states.reduce((whole, state) => whole + (progress.states[state]?.[bin] ?? 0), 0),
    ),
  );
  return (
    <Plot
      title="Tasks by state"
      from={from}
      to={to}
      top={total}
      whole
      bins={bins}
      words={(bin) =>
        states
          .filter((state) => (progress.states[state]?.[bin] ?? 0) > 0)
          .map((state) => `${(progress.states[state]?.[bin] ?? 0).toLocaleString("en")} ${state}`)
          .join(", ")
      }
      legend={states.map((state) => (
        <li key={state}>
          <StateIcon state={state} /> {state}
        </li>
      ))}
    >
      {layers.map((layer) => (
        <path key={layer.state} d={layer.path} className={`area-${layer.state}`} />
      ))}
    </Plot>
  );
}

function Rates({ progress, from, to }: Part) {
  const seconds = Math.max(progress.binSeconds, 1e-3);
  const ended = smoothed(progress.ended, SMOOTH_BINS).map((count) => count / seconds);
  const failed = smoothed(progress.failed, SMOOTH_BINS).map((count) => count / seconds);
  const top = niceTop(Math.max(...ended, 0));
  const rate = (values: number[], bin: number) => perSecond(values[bin] ?? 0);
  const estimate = stillAhead(progress.estimatedEndAt, useNow());
  return (
    <Plot
      title="Ends per second"
      from={from}
      to={to}
      top={top}
      bins={ended.length}
      words={(bin) => `${rate(ended, bin)} ended, ${rate(failed, bin)} failed per second`}
      legend={
        <>
          <li>
            <span className="swatch fill-running" /> ended
          </li>
          <li>
            <span className="swatch fill-failed" /> failed
          </li>
          <li>
            now <strong>{perSecond(progress.ratePerSecond)}</strong> per second
          </li>
          {estimate ? (
            <li>
              likely end <Ago time={estimate} />
            </li>
          ) : null}
        </>
      }
    >
      <path
        d={`${linePath(ended, top, PLOT_WIDTH, PLOT_HEIGHT)}L${PLOT_WIDTH},${PLOT_HEIGHT}L0,${PLOT_HEIGHT}Z`}
        className="rate-area"
      />
      <path d={linePath(ended, top, PLOT_WIDTH, PLOT_HEIGHT)} className="rate-line" />
      <path d={linePath(failed, top, PLOT_WIDTH, PLOT_HEIGHT)} className="rate-line failed" />
    </Plot>
  );
}
