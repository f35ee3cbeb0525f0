import type { ReactNode } from "react";
import type { ApiError } from "../api/client";
import { Mark } from "./icons";

/** A fault in the server's words, with what to try; never an empty list instead. */
export function Fault({ error, onRetry }: { error: ApiError; onRetry?: () => void }) {
  return (
    <div className="fault" role="alert">
      <Mark name="warning" />
      <div>
        <strong>{error.message}</strong>
        {error.hint ? <p>{error.hint}</p> : null}
        {error.problems.map((problem) => (
          <p key={`${problem.code}:${problem.message}`}>
            {problem.message}
            {problem.hint ? <span className="muted"> {problem.hint}</span> : null}
          </p>
        ))}
      </div>
      {onRetry ? (
        <button type="button" className="button" onClick={onRetry}>
          Try again
        </button>
      ) : null}
    </div>
  );
}

/** What stands where there is nothing to show. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

export function Loading({ what }: { what: string }) {
  return (
    <p className="loading" role="status">
      Fetching {what} …
    </p>
  );
}
