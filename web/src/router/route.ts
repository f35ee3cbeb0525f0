// Addresses of the page: each view has one, and each address one view.

export type RunTab = "graph" | "tasks" | "timeline" | "plots" | "history" | "definition";

export const RUN_TABS: readonly RunTab[] = [
  "graph",
  "tasks",
  "timeline",
  "plots",
  "history",
  "definition",
];

export type Route =
  | { view: "runs" }
  | { view: "run"; id: string; tab: RunTab; task: string | null }
  | { view: "submit" }
  | { view: "pools" }
  | { view: "nowhere"; path: string };

/** The view that a path leads to. A task's name may hold anything: it is one encoded segment. */
export function parseRoute(path: string): Route {
  const segments = path.split("/").filter(Boolean).map(decode);
  const [first, id, tab, ...rest] = segments;
  if (first === undefined || (first === "runs" && id === undefined)) return { view: "runs" };
  if (first === "submit" && id === undefined) return { view: "submit" };
  if (first === "pools" && id === undefined) return { view: "pools" };
  if (first === "runs" && id !== undefined) {
    if (tab === undefined) return { view: "run", id, tab: "graph", task: null };
    const known = RUN_TABS.find((name) => name === tab);
    if (known === "tasks" && rest.length > 0) {
      // A proxy may have decoded the slashes of the name: they are the name's own.
      return { view: "run", id, tab: "tasks", task: rest.join("/") };
    }
    if (known && rest.length === 0) return { view: "run", id, tab: known, task: null };
  }
  return { view: "nowhere", path };
}

export const runPath = (id: string, tab?: RunTab): string =>
  `/runs/${encodeURIComponent(id)}${tab && tab !== "graph" ? `/${tab}` : ""}`;

export const taskPath = (id: string, name: string): string =>
  `/runs/${encodeURIComponent(id)}/tasks/${encodeURIComponent(name)}`;

/** A query with some members changed; null takes a member away. */
export function withQuery(
  query: URLSearchParams,
  changes: Record<string, string | readonly string[] | null>,
): URLSearchParams {
  const changed = new URLSearchParams(query);
  for (const [key, value] of Object.entries(changes)) {
    changed.delete(key);
    if (value === null || value === "") continue;
    for (const one of typeof value === "string" ? [value] : value) changed.append(key, one);
  }
  return changed;
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
