// Things done to runs and tasks: asked once more where they cannot be taken back, and answered.

import { createContext, type ReactNode, useCallback, useContext, useRef, useState } from "react";
import type { ApiError } from "../api/client";
import { asApiError } from "../hooks/use-resource";
import { Dialog } from "./dialog";
import { Fault } from "./faults";

interface Question {
  /** The question, as a title: "Kill 3 tasks?" */
  title: string;
  /** What will happen, and to what. */
  effect: ReactNode;
  /** The word on the button that does it. */
  verb: string;
  danger?: boolean;
  /** Ask for a reason: it is kept in the history. */
  reason?: "optional" | "required";
}

export interface Deed<Answer> extends Question {
  perform: (reason: string) => Promise<Answer>;
  done: Said<Answer>;
}

/** What is said when something is done, which may hang on what was answered. */
type Said<Answer> = string | ((answer: Answer) => string);

/** A deed that is asked about; what it resolves to is said. */
interface Asked extends Question {
  perform: (reason: string) => Promise<string>;
}

interface Actions {
  /** Ask, then do. */
  ask: <Answer>(deed: Deed<Answer>) => void;
  /** Do at once what can be undone with one more click. */
  now: <Answer>(perform: () => Promise<Answer>, done: Said<Answer>) => Promise<void>;
  say: (words: string) => void;
}

const Context = createContext<Actions | null>(null);

export function useActions(): Actions {
  const actions = useContext(Context);
  if (!actions) throw new Error("outside of ActionProvider");
  return actions;
}

interface Notice {
  key: number;
  words: string;
  error?: ApiError;
}

export function ActionProvider({ children }: { children: ReactNode }) {
  const [deed, setDeed] = useState<Asked | null>(null);
  const [notices, setNotices] = useState<Notice[]>([]);
  const key = useRef(0);

  const notify = useCallback((words: string, error?: ApiError) => {
    key.current += 1;
    const mine = key.current;
    setNotices((all) => [...all.slice(-3), { key: mine, words, ...(error ? { error } : {}) }]);
    setTimeout(
      () => setNotices((all) => all.filter((notice) => notice.key !== mine)),
      error ? 12_000 : 5_000,
    );
  }, []);
  const now = useCallback(
    async <Answer,>(perform: () => Promise<Answer>, done: Said<Answer>) => {
      try {
        notify(words(done, await perform()));
      } catch (error) {
        const fault = asApiError(error);
        notify(fault.message, fault);
      }
    },
    [notify],
  );
  const ask = useCallback(<Answer,>({ perform, done, ...question }: Deed<Answer>) => {
    setDeed({ ...question, perform: async (reason) => words(done, await perform(reason)) });
  }, []);
  return (
    <Context.Provider value={{ ask, now, say: notify }}>
      {children}
      {deed ? (
        <Confirmation
          deed={deed}
          onClose={() => setDeed(null)}
          onDone={(said) => {
            setDeed(null);
            notify(said);
          }}
        />
      ) : null}
      <div className="notices" role="status" aria-live="polite">
        {notices.map((notice) => (
          <p key={notice.key} className={notice.error ? "notice bad" : "notice"}>
            {notice.words}
            {notice.error?.hint ? <small>{notice.error.hint}</small> : null}
          </p>
        ))}
      </div>
    </Context.Provider>
  );
}

function words<Answer>(said: Said<Answer>, answer: Answer): string {
  return typeof said === "string" ? said : said(answer);
}

function Confirmation({
  deed,
  onClose,
  onDone,
}: {
  deed: Asked;
  onClose: () => void;
  onDone: (said: string) => void;
}) {
  const [reason, setReason] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const perform = async () => {
    setBusy(true);
    try {
      onDone(await deed.perform(reason.trim()));
    } catch (fault) {
      setError(asApiError(fault));
      setBusy(false);
    }
  };
  return (
    <Dialog title={deed.title} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void perform();
        }}
      >
        <div className="dialog-text">{deed.effect}</div>
        {deed.reason ? (
          <label className="field">
            <span>Reason{deed.reason === "required" ? "" : " (optional)"}</span>
            <input
              name="reason"
              data-first={deed.danger ? undefined : true}
              value={reason}
              required={deed.reason === "required"}
              placeholder="stands in the history"
              onChange={(event) => setReason(event.target.value)}
            />
          </label>
        ) : null}
        {error ? <Fault error={error} /> : null}
        <footer>
          {/* Enter that is held a moment too long must not kill a run. */}
          <button
            type="button"
            className="button"
            data-first={deed.danger || undefined}
            onClick={onClose}
          >
            Leave it
          </button>
          <button
            type="submit"
            data-first={deed.danger ? undefined : true}
            className={deed.danger ? "button danger" : "button main"}
            disabled={busy || (deed.reason === "required" && reason.trim() === "")}
          >
            {busy ? "Working …" : deed.verb}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
