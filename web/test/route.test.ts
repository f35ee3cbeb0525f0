import { describe, expect, it } from "vitest";
import { parseRoute, runPath, taskPath, withQuery } from "../src/router/route";

describe("addresses", () => {
  it("lead to the views", () => {
    expect(parseRoute("/")).toEqual({ view: "runs" });
    expect(parseRoute("/runs")).toEqual({ view: "runs" });
    expect(parseRoute("/submit")).toEqual({ view: "submit" });
    expect(parseRoute("/pools/")).toEqual({ view: "pools" });
    expect(parseRoute("/runs/a-1")).toEqual({ view: "run", id: "a-1", tab: "graph", task: null });
    expect(parseRoute("/runs/a-1/plots")).toMatchObject({ tab: "plots", task: null });
  });

  it("that no view has are said to lead nowhere", () => {
    expect(parseRoute("/nothing")).toEqual({ view: "nowhere", path: "/nothing" });
    expect(parseRoute("/runs/a/b/c")).toEqual({ view: "nowhere", path: "/runs/a/b/c" });
    expect(parseRoute("/submit/x").view).toBe("nowhere");
  });

  it.each(["fit", "a/b", "x@1:2", "50 %", "ü", "a?b#c"])("hold the task %s whole", (name) => {
    expect(parseRoute(taskPath("run 1", name))).toEqual({
      view: "run",
      id: "run 1",
      tab: "tasks",
      task: name,
    });
  });

  it("whose slashes a proxy has decoded still name the task", () => {
    expect(parseRoute("/runs/r/tasks/a/b")).toMatchObject({ task: "a/b" });
  });

  it("with a broken escape are taken as they are", () => {
    expect(parseRoute("/runs/50%")).toMatchObject({ view: "run", id: "50%" });
  });

  it("of the graph need no tab", () => {
    expect(runPath("a", "graph")).toBe("/runs/a");
    expect(runPath("a", "tasks")).toBe("/runs/a/tasks");
  });
});

describe("a query", () => {
  it("changes only what is named", () => {
    const query = new URLSearchParams("name=a&state=failed&state=running&sort=name");

    const changed = withQuery(query, { state: ["paused"], name: null });

    expect(changed.toString()).toBe("sort=name&state=paused");
    expect(query.getAll("state")).toEqual(["failed", "running"]);
  });

  it("keeps no empty members", () => {
    expect(withQuery(new URLSearchParams("a=1"), { a: "", b: [] }).toString()).toBe("");
  });
});
