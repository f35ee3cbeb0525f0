// Keys of the page. A key typed into a field is the field's own.

import { useEffect, useRef } from "react";

export type KeyMap = Record<string, (event: KeyboardEvent) => void>;

/** Obey keys: "j", "Escape", or two in a row as "g r". Inside dialogs only the dialog obeys. */
export function useKeys(keys: KeyMap): void {
  const newest = useRef(keys);
  newest.current = keys;
  useEffect(() => {
    let first = "";
    let at = 0;
    const listen = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (document.querySelector("dialog[open]")) return;
      if (isField(event.target) && event.key !== "Escape") return;
      const both = Date.now() - at < 1500 ? `${first} ${event.key}` : "";
      const found = newest.current[both] ?? newest.current[event.key];
      first = event.key;
      at = Date.now();
      if (!found) return;
      event.preventDefault();
      found(event);
    };
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  }, []);
}

function isField(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement)
    return !["checkbox", "radio", "button"].includes(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}
