import { Dialog } from "./dialog";

const KEYS: readonly [string[], string][] = [
  [["?"], "show these keys"],
  [["/"], "go to the filter"],
  [["j", "k"], "down and up in a list"],
  [["Enter"], "open what is marked"],
  [["x"], "tick the marked task"],
  [["g", "r"], "go to the runs"],
  [["g", "s"], "submit"],
  [["g", "p"], "go to the pools"],
  [["1", "…", "6"], "the tabs of a run"],
  [["Esc"], "close the panel or the window"],
];

export function KeyHelp({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keys" onClose={onClose}>
      <dl className="keys">
        {KEYS.map(([keys, effect]) => (
          <div key={effect}>
            <dt>
              {keys.map((key) =>
                key === "…" ? <span key={key}>…</span> : <kbd key={key}>{key}</kbd>,
              )}
            </dt>
            <dd>{effect}</dd>
          </div>
        ))}
      </dl>
      <p className="licences muted">
        Made with React, React Flow, ELK and others: <a href="/licenses.md">their licences</a>
      </p>
    </Dialog>
  );
}
