import { useEffect, useRef } from "react";
import { Errand, type Work } from "./errand";
import { useSession } from "./use-session";

/** Do `work` now and for each new `tick`; anew for a new `key` and another person. */
export function useErrand(key: string | null, tick: number, asked: number, work: Work): void {
  const session = useSession();
  const errand = useRef(new Errand());
  const newest = useRef(work);
  newest.current = work;
  const seen = useRef(tick);

  // biome-ignore lint/correctness/useExhaustiveDependencies: each of these asks for a new beginning.
  useEffect(() => {
    if (key === null) return;
    const mine = errand.current;
    mine.start((signal) => newest.current(signal));
    return () => mine.stop();
  }, [key, asked, session]);
  useEffect(() => {
    if (tick === seen.current) return;
    seen.current = tick;
    if (key !== null) errand.current.renew((signal) => newest.current(signal));
  }, [key, tick]);
}
