import type { Neighbour, Run } from "../../api/types";
import { StateIcon } from "../../components/icons";
import { Link, useAddress } from "../../router/navigation";
import { taskPath } from "../../router/route";

/** The tasks on one side of a task, each with its state and a link. */
export function Neighbours({
  run,
  title,
  neighbours,
  count,
  none,
}: {
  run: Run;
  title: string;
  neighbours: Neighbour[];
  count: number;
  none: string;
}) {
  const address = useAddress();
  // From the graph or the timeline one stays there, with the other task opened.
  const beside = new URLSearchParams(address.split("?")[1] ?? "");
  const path = address.split("?")[0] ?? "";
  const to = (name: string) => {
    if (!beside.has("task")) return taskPath(run.id, name);
    const query = new URLSearchParams(beside);
    query.set("task", name);
    query.delete("attempt");
    return `${path}?${query}`;
  };
  return (
    <section className="neighbours">
      <h3>
        {title} {count > 0 ? <span className="count">{count.toLocaleString("en")}</span> : null}
      </h3>
      {neighbours.length === 0 ? <p className="muted">{none}</p> : null}
      <ul>
        {neighbours.map((neighbour) => (
          <li key={neighbour.name}>
            <StateIcon state={neighbour.state} />
            {neighbour.kind === "barrier" ? (
              <span className="muted">
                {neighbour.tasks.toLocaleString("en")} tasks of{" "}
                {neighbour.name.replace(/^barrier:/, "")}
              </span>
            ) : (
              <Link to={to(neighbour.name)}>{neighbour.name}</Link>
            )}
            <span className="muted">{neighbour.state}</span>
          </li>
        ))}
      </ul>
      {count > neighbours.length ? (
        <p className="muted">and {(count - neighbours.length).toLocaleString("en")} more</p>
      ) : null}
    </section>
  );
}
