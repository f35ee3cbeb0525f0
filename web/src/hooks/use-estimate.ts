import { fetchProgress } from "../api/endpoints";
import type { Run } from "../api/types";
import { stillAhead } from "../model/times";
import { useNow, useThrottled } from "./use-clock";
import { useResource } from "./use-resource";

const RENEW_S = 5;

/** When the run is likely to end, or null where nothing can be said. */
export function useEstimate(run: Run, tick: number): string | null {
  const now = useNow(RENEW_S);
  const slow = useThrottled(tick, 5000);
  const key = run.state === "running" ? `estimate:${run.id}` : null;
  const { value } = useResource(key, (signal) => fetchProgress(run.id, 2, signal), slow);
  return key === null ? null : stillAhead(value?.estimatedEndAt, now, RENEW_S);
}
