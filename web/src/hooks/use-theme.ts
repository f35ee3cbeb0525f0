import { useSyncExternalStore } from "react";

export type Theme = "system" | "light" | "dark";

const KEY = "segue.theme";
const listeners = new Set<() => void>();

export function theme(): Theme {
  const kept = localStorage.getItem(KEY);
  return kept === "light" || kept === "dark" ? kept : "system";
}

/** Choose a theme, and keep the choice in this browser. */
export function setTheme(value: Theme): void {
  if (value === "system") localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, value);
  showTheme();
  for (const listener of listeners) listener();
}

/** Make the document wear the theme that was chosen. */
export function showTheme(): void {
  if (theme() === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme();
}

export function useTheme(): Theme {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, theme);
}

const dark = matchMedia("(prefers-color-scheme: dark)");

/** Whether the page is dark now: what is drawn on a canvas must know. */
export function useDark(): boolean {
  const chosen = useTheme();
  const system = useSyncExternalStore(
    (listener) => {
      dark.addEventListener("change", listener);
      return () => dark.removeEventListener("change", listener);
    },
    () => dark.matches,
  );
  return chosen === "system" ? system : chosen === "dark";
}
