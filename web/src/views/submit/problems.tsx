import type { Problem } from "../../api/types";
import { Mark } from "../../components/icons";
import { hintOnPage } from "../../model/hints";
import { ofDocument } from "../../model/problem-lines";

/** All problems of the document, each leading to its line. */
export function Problems({
  problems,
  path,
  onLine,
}: {
  problems: readonly Problem[];
  path: string;
  onLine: (line: number) => void;
}) {
  if (problems.length === 0) return null;
  return (
    <ul className="problems" aria-label="Problems">
      {problems.map((problem, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: two problems may be alike in all they say.
        <li key={index} className={problem.severity ?? "error"}>
          <Mark name="warning" />
          <div>
            <Place problem={problem} path={path} onLine={onLine} />
            <span>{problem.message}</span>
            {problem.hint ? <p className="muted">{hintOnPage(problem)}</p> : null}
          </div>
        </li>
      ))}
    </ul>
  );
}

function Place({
  problem,
  path,
  onLine,
}: {
  problem: Problem;
  path: string;
  onLine: (line: number) => void;
}) {
  const { line } = problem;
  if (!line) return problem.pointer ? <code>{problem.pointer}</code> : null;
  const words = `line ${line}${problem.column ? `:${problem.column}` : ""}`;
  if (!ofDocument(problem, path)) {
    return (
      <code>
        {problem.path} {words}
      </code>
    );
  }
  return (
    <button type="button" className="link" onClick={() => onLine(line)}>
      {words}
    </button>
  );
}
