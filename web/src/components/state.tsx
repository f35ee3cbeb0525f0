import type { Counts, RunState, TaskState } from "../api/types";
import { countsInWords, shares } from "../model/states";
import { Link } from "../router/navigation";
import { runPath } from "../router/route";
import { StateIcon } from "./icons";

/** A state: its shape, its colour and its word. */
export function StateBadge({
  state,
  note,
  title,
}: {
  state: string;
  note?: string | undefined;
  title?: string | null;
}) {
  return (
    <span className="state-badge" title={title ?? undefined}>
      <StateIcon state={state} />
      <span>{state}</span>
      {note ? <span className="muted">{note}</span> : null}
    </span>
  );
}

/** A bar of all tasks by state. What it shows also stands in words in its label. */
export function StateBar({ counts, thin }: { counts: Counts<TaskState>; thin?: boolean }) {
  const words = countsInWords(counts);
  return (
    <div
      className={thin ? "state-bar thin" : "state-bar"}
      role="img"
      aria-label={words}
      title={words}
    >
      {shares(counts).map((share) => (
        <span
          key={share.state}
          className={`fill-${share.state}`}
          style={{ flexGrow: share.fraction }}
        />
      ))}
    </div>
  );
}

/** Counts by state as small figures with the state's shape, each leading to those tasks. */
export function StateCounts({
  run,
  counts,
  states,
}: {
  run: string;
  counts: Counts<TaskState>;
  states: readonly TaskState[];
}) {
  return (
    <span className="state-counts">
      {states
        .filter((state) => (counts[state] ?? 0) > 0)
        .map((state) => (
          <Link
            key={state}
            to={`${runPath(run, "tasks")}?state=${state}`}
            title={`${(counts[state] ?? 0).toLocaleString("en")} ${state}: show them`}
          >
            <StateIcon state={state} />
            <span>{(counts[state] ?? 0).toLocaleString("en")}</span>
            <span className="unseen"> {state}</span>
          </Link>
        ))}
    </span>
  );
}

/** One switch a state, with how many there are; none pressed means all. */
export function StateToggles<State extends RunState | TaskState>({
  states,
  counts,
  chosen,
  onChange,
}: {
  states: readonly State[];
  counts: Counts<State> | null;
  chosen: readonly string[];
  onChange: (states: string[]) => void;
}) {
  const toggle = (state: string) =>
    onChange(
      chosen.includes(state) ? chosen.filter((other) => other !== state) : [...chosen, state],
    );
  return (
    <fieldset className="toggles">
      <legend className="unseen">State</legend>
      {states.map((state) => (
        <button
          key={state}
          type="button"
          className="toggle"
          aria-pressed={chosen.includes(state)}
          onClick={() => toggle(state)}
        >
          <StateIcon state={state} />
          {state}
          {counts ? (
            <span className="count">{(counts[state] ?? 0).toLocaleString("en")}</span>
          ) : null}
        </button>
      ))}
    </fieldset>
  );
}
