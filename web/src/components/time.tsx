import { useNow } from "../hooks/use-clock";
import { absolute, duration, parseTime, relative } from "../model/times";

/** A time, told from now; the exact one is in its title. */
export function Ago({ time }: { time: string | null }) {
  const now = useNow();
  const at = parseTime(time);
  if (at === null) return <span className="muted">–</span>;
  return (
    <time dateTime={time ?? undefined} title={absolute(at)}>
      {relative(at, now)}
    </time>
  );
}

/** A date and time to the second, or `fine` to the millisecond; how long ago in its title. */
export function Exact({ time, fine }: { time: string | null; fine?: boolean }) {
  const at = parseTime(time);
  if (at === null) return <span className="muted">–</span>;
  return (
    <time dateTime={time ?? undefined} title={relative(at, Date.now())}>
      {absolute(at)}
      {fine ? `.${String(at % 1000).padStart(3, "0")}` : null}
    </time>
  );
}

/** How long something took, or has taken so far. */
export function Took({ from, to }: { from: string | null; to: string | null }) {
  const now = useNow();
  const start = parseTime(from);
  if (start === null) return <span className="muted">–</span>;
  return <span>{duration(((parseTime(to) ?? now) - start) / 1000)}</span>;
}

/** A number of seconds, or a dash. */
export function Seconds({ value }: { value: number | null }) {
  return value === null ? <span className="muted">–</span> : <span>{duration(value)}</span>;
}
