import { useEffect, useState, useSyncExternalStore } from "react";

/** The time now in milliseconds, renewed every `seconds`; relative times follow it. */
export function useNow(seconds = 1): number {
  const [now, setNow] = useState(() => Date.now());
  const visible = useVisible();
  useEffect(() => {
    if (!visible) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), seconds * 1000);
    return () => clearInterval(timer);
  }, [seconds, visible]);
  return now;
}

/** Whether somebody can see this tab. Streams end in hidden tabs: a browser gives a host six
 * connections in all, and a seventh forgotten tab would keep every page from loading. */
export function useVisible(): boolean {
  return useSyncExternalStore(
    (listener) => {
      document.addEventListener("visibilitychange", listener);
      return () => document.removeEventListener("visibilitychange", listener);
    },
    () => document.visibilityState !== "hidden",
  );
}

/** `value` once it has been still for `milliseconds`. */
export function useSettled<Value>(value: Value, milliseconds: number): Value {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), milliseconds);
    return () => clearTimeout(timer);
  }, [value, milliseconds]);
  return settled;
}

/** `tick`, let through at most once every `milliseconds`, the last one always. */
export function useThrottled(tick: number, milliseconds: number): number {
  const [shown, setShown] = useState(tick);
  const [at, setAt] = useState(0);
  useEffect(() => {
    if (tick === shown) return;
    const wait = Math.max(0, at + milliseconds - Date.now());
    const timer = setTimeout(() => {
      setShown(tick);
      setAt(Date.now());
    }, wait);
    return () => clearTimeout(timer);
  }, [tick, shown, at, milliseconds]);
  return shown;
}
