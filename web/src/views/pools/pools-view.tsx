// Pools: where tasks run, how many at once, and what keeps them from it.

import { fetchPools } from "../../api/endpoints";
import type { Pool } from "../../api/types";
import { Empty, Fault, Loading } from "../../components/faults";
import { Mark } from "../../components/icons";
import { useNow, useVisible } from "../../hooks/use-clock";
import { useResource } from "../../hooks/use-resource";
import { Link } from "../../router/navigation";
import { Runners } from "./runners";

const RENEW_S = 3;
/** The executor whose pools have runners. */
const RUNNERS = "runner";

export function PoolsView() {
  const visible = useVisible();
  const now = useNow(RENEW_S);
  const tick = visible ? Math.floor(now / (RENEW_S * 1000)) : 0;
  const pools = useResource("pools", fetchPools, tick);
  return (
    <div className="pools-view">
      <div className="view-head">
        <h1>Pools</h1>
        <span className="muted">renewed every {RENEW_S} s</span>
      </div>
      {pools.error ? <Fault error={pools.error} onRetry={pools.reload} /> : null}
      {pools.loading ? <Loading what="the pools" /> : null}
      {pools.value?.pools.length === 0 ? <Empty title="This server has no pools" /> : null}
      <ul className="pools">
        {pools.value?.pools.map((pool) => (
          <li key={pool.name}>
            <PoolCard pool={pool} tick={tick} />
          </li>
        ))}
      </ul>
    </div>
  );
}

function PoolCard({ pool, tick }: { pool: Pool; tick: number }) {
  const used = pool.running + pool.submitted;
  const room = pool.limit === null ? null : Math.max(0, pool.limit - used);
  const whole = Math.max(1, pool.limit ?? used + pool.ready, used);
  const part = (count: number) => ({ flexGrow: count / whole });
  const words = `${pool.running} running, ${pool.submitted} submitted, ${
    pool.limit === null ? "no limit" : `limit ${pool.limit}`
  }`;
  return (
    <article className={pool.problem ? "pool bad" : "pool"}>
      <header>
        <h2>{pool.name}</h2>
        <span className="tag">{pool.executor}</span>
        {pool.default ? <span className="tag accent">default</span> : null}
        <Link className="pool-runs" to={`/?pool=${encodeURIComponent(pool.name)}`}>
          its runs
        </Link>
      </header>
      <div className="state-bar" role="img" aria-label={words} title={words}>
        {pool.running > 0 ? <span className="fill-running" style={part(pool.running)} /> : null}
        {pool.submitted > 0 ? (
          <span className="fill-submitted" style={part(pool.submitted)} />
        ) : null}
        {room ? <span className="fill-room" style={part(room)} /> : null}
      </div>
      <dl className="figures">
        <Figure label="running" value={pool.running} />
        <Figure label="submitted" value={pool.submitted} />
        <Figure label="wait for room" value={pool.ready} />
        <Figure label="limit" value={pool.limit ?? "none"} />
      </dl>
      {pool.problem ? (
        <p className="pool-problem">
          <Mark name="warning" />
          <span>{pool.problem}</span>
        </p>
      ) : null}
      {pool.executor === RUNNERS ? <Runners pool={pool.name} tick={tick} /> : null}
    </article>
  );
}

function Figure({ label, value }: { label: string; value: number | string }) {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{typeof value === "number" ? value.toLocaleString("en") : value}</dd>
    </div>
  );
}
