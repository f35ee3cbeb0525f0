import type { ButtonHTMLAttributes } from "react";
import type { Role } from "../api/types";
import { Mark, type MarkName } from "./icons";
import { useRefusal } from "./server";

type Props = {
  label: string;
  mark?: MarkName;
  /** Show the mark alone; the label becomes its name. */
  small?: boolean;
  kind?: "plain" | "main" | "danger";
  /** The least role that may do this. */
  least?: Role;
  /** Why it cannot be done now, or nothing. */
  refusal?: string | null;
} & ButtonHTMLAttributes<HTMLButtonElement>;

/** A button that says, where it cannot be pressed, why. */
export function Button({ label, mark, small, kind, least, refusal, ...rest }: Props) {
  const forbidden = useRefusal(least ?? "viewer");
  const why = forbidden ?? refusal ?? null;
  return (
    <button
      type="button"
      className={`button ${kind ?? "plain"} ${small ? "small" : ""}`}
      disabled={why !== null}
      title={why ?? (small ? label : undefined)}
      aria-label={small ? label : undefined}
      {...rest}
    >
      {mark ? <Mark name={mark} /> : null}
      {small ? null : label}
    </button>
  );
}
