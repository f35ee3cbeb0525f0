// The browser's history as React sees it. One address, one view; back and forward always work.

import { type AnchorHTMLAttributes, type MouseEvent, useMemo, useSyncExternalStore } from "react";
import { parseRoute, type Route, withQuery } from "./route";

const listeners = new Set<() => void>();
const tell = () => {
  for (const listener of listeners) listener();
};

/** Go to an address of the page; `replace` leaves no step in the history (typing in a filter). */
export function navigate(to: string, options: { replace?: boolean } = {}): void {
  if (to === location.pathname + location.search) return;
  if (options.replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  tell();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  addEventListener("popstate", listener);
  return () => {
    listeners.delete(listener);
    removeEventListener("popstate", listener);
  };
}

/** The path and query now. */
export function useAddress(): string {
  return useSyncExternalStore(subscribe, () => location.pathname + location.search);
}

export function useRoute(): Route {
  const path = useAddress().split("?")[0] ?? "/";
  return useMemo(() => parseRoute(path), [path]);
}

export type ChangeQuery = (
  changes: Record<string, string | readonly string[] | null>,
  options?: { push?: boolean },
) => void;

/** The query of the address, and a way to change some of it in place. */
export function useQuery(): [URLSearchParams, ChangeQuery] {
  const address = useAddress();
  const query = useMemo(() => new URLSearchParams(address.split("?")[1] ?? ""), [address]);
  return [query, changeQuery];
}

const changeQuery: ChangeQuery = (changes, options = {}) => {
  const text = withQuery(new URLSearchParams(location.search), changes).toString();
  navigate(location.pathname + (text ? `?${text}` : ""), { replace: !options.push });
};

/** A link within the page; opens in a new tab as any link does. */
export function Link({
  to,
  onClick,
  ...rest
}: { to: string } & AnchorHTMLAttributes<HTMLAnchorElement>) {
  const follow = (event: MouseEvent<HTMLAnchorElement>) => {
    onClick?.(event);
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(to);
  };
  return <a href={to} onClick={follow} {...rest} />;
}
