import { fetchProgress } from "../api/endpoints";
import type { Run } from "../api/types";
import { parseTime } from "../model/times";
import { useNow, useThrottled } from "./use-clock";
import { useResource } from "./use-resource";

const RENEW_S = 5;

/** When the run is likely to end, or null where nothing can be said. */
export function useEstimate(run: Run, tick: number): string | null {
  const now = useNow(RENEW_S);
  const slow = useThrottled(tick, 5000);
  const key = run.state === "running" ? `estimate:${run.id}` : null;
  const { value } = useResource(key, (signal) => fetchProgress(run.id, 2, signal), slow);
  const at = parseTime(value?.estimatedEndAt);
  // An end that should have been already is no estimate any more.
  return key !== null && at !== null && at > now + RENEW_S * 1000
    ? (value?.estimatedEndAt ?? null)
    : null;
}
