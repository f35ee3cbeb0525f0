import { type Ref, useEffect, useId, useState } from "react";
import type { ApiError } from "../api/client";
import { useSettled } from "../hooks/use-clock";
import { Mark } from "./icons";

/** A field for a regular expression. The address follows a moment after the typing; a pattern
 * that the server cannot read is said beside the field, and the list stays as it was. */
export function PatternField({
  label,
  placeholder,
  value,
  onChange,
  error,
  fieldRef,
}: {
  label: string;
  placeholder: string;
  value: string;
  onChange: (value: string) => void;
  error: ApiError | null;
  fieldRef?: Ref<HTMLInputElement>;
}) {
  const [typed, setTyped] = useState(value);
  const [given, setGiven] = useState(value);
  const settled = useSettled(typed, 250);
  const note = useId();
  if (value !== given) {
    // The address was changed by something else, as "back": the field follows.
    setGiven(value);
    setTyped(value);
  }
  // biome-ignore lint/correctness/useExhaustiveDependencies: only what was typed moves the address.
  useEffect(() => {
    if (settled !== value && settled === typed) {
      setGiven(settled);
      onChange(settled);
    }
  }, [settled]);
  const bad = error?.code === "bad_pattern" && typed !== "";
  return (
    <div className="pattern">
      <label>
        <span className="unseen">{label}</span>
        <Mark name="search" />
        <input
          ref={fieldRef}
          type="search"
          value={typed}
          placeholder={placeholder}
          spellCheck={false}
          autoComplete="off"
          aria-invalid={bad}
          aria-describedby={bad ? note : undefined}
          onChange={(event) => setTyped(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Escape") event.currentTarget.blur();
          }}
        />
      </label>
      {bad ? (
        <p id={note} className="field-fault" role="alert">
          {error?.message}
        </p>
      ) : null}
    </div>
  );
}
