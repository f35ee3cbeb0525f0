// The runners of a pool: which answer, and how full each is.

import { fetchRunners } from "../../api/endpoints";
import type { Runner } from "../../api/types";
import { Fault } from "../../components/faults";
import { Mark } from "../../components/icons";
import { useResource } from "../../hooks/use-resource";
import { type Amount, amountsOf } from "../../model/amounts";
import { plural } from "../../model/times";

/** The runners of a pool; nothing where it has none. */
export function Runners({ pool, tick }: { pool: string; tick: number }) {
  const found = useResource(`runners:${pool}`, (signal) => fetchRunners(pool, signal), tick);
  const runners = found.value?.runners ?? [];
  // That nobody answers is said once, above all pools.
  if (found.error && found.error.status > 0) {
    return <Fault error={found.error} onRetry={found.reload} />;
  }
  if (runners.length === 0) return null;
  const away = runners.filter((runner) => !runner.reachable).length;
  return (
    <section className="runners" aria-label={`Runners of ${pool}`}>
      <h3>
        {plural(runners.length, "runner")}
        {away > 0 ? <span className="runners-away">{away} not reachable</span> : null}
        {found.value && found.value.waiting > 0 ? (
          <span className="muted">
            {found.value.waiting.toLocaleString("en")} wait for room on one of them
          </span>
        ) : null}
      </h3>
      <ul>
        {runners.map((runner) => (
          <li key={runner.url}>
            <RunnerLine runner={runner} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function RunnerLine({ runner }: { runner: Runner }) {
  const amounts = amountsOf(runner);
  const heard = amounts.length > 0;
  const facts = [
    runner.hostname ? runner.url : "",
    heard ? (runner.enforced ? "memory limits enforced" : "memory limits not enforced") : "",
    runner.version ? `version ${runner.version}` : "",
  ].filter((part) => part !== "");
  return (
    <article className={runner.reachable ? "runner" : "runner away"}>
      <header>
        <strong title={runner.url}>{runner.hostname || runner.url}</strong>
        {runner.reachable ? (
          <span className="muted">{plural(runner.running, "task")} running</span>
        ) : (
          <span className="runner-away">
            <Mark name="warning" />
            not reachable
          </span>
        )}
      </header>
      {runner.reachable ? null : (
        <p className="runner-said">
          {runner.said || "It has not answered yet."}
          {heard ? ` It had ${plural(runner.running, "task")} running when it was last heard.` : ""}
        </p>
      )}
      {amounts.map((amount) => (
        <AmountBar key={amount.name} amount={amount} />
      ))}
      {facts.length > 0 ? <p className="runner-facts muted">{facts.join(" · ")}</p> : null}
    </article>
  );
}

function AmountBar({ amount }: { amount: Amount }) {
  return (
    <div className="amount">
      <span className="amount-name">{amount.label}</span>
      <span className="amount-bar" role="img" aria-label={`${amount.label}: ${amount.words}`}>
        <span style={{ width: `${Math.round(100 * amount.share)}%` }} />
      </span>
      <span className="amount-words">{amount.words}</span>
    </div>
  );
}
