import { Handle, type Node, type NodeProps, Position } from "@xyflow/react";
import { createContext, useContext } from "react";
import type { GraphNode } from "../../api/types";
import { StateIcon } from "../../components/icons";
import { StateBar } from "../../components/state";
import { countsInWords, leadingState, sum, triggerInWords } from "../../model/states";
import { plural } from "../../model/times";

export type FlowNode = Node<{ node: GraphNode; vertical: boolean }, "box">;

export type FrameNode = Node<{ template: string }, "frame">;

export interface GraphDeeds {
  expandable: boolean;
  opened: string | null;
  onExpand: (template: string) => void;
  onTask: (name: string) => void;
  onMore: (template: string) => void;
}

export const GraphContext = createContext<GraphDeeds>({
  expandable: false,
  opened: null,
  onExpand: () => undefined,
  onTask: () => undefined,
  onMore: () => undefined,
});

/** A node of the picture: a template with its counts, a task, or "the rest". */
export function Box({ data: { node, vertical } }: NodeProps<FlowNode>) {
  const deeds = useContext(GraphContext);
  return (
    <>
      <Handle
        type="target"
        position={vertical ? Position.Top : Position.Left}
        isConnectable={false}
      />
      {node.kind === "template" ? <TemplateBox node={node} deeds={deeds} /> : null}
      {node.kind === "task" ? <TaskBox node={node} deeds={deeds} /> : null}
      {node.kind === "more" ? (
        <button
          type="button"
          className="box more-box nodrag"
          onClick={() => deeds.onMore(node.template)}
        >
          {node.tasks.toLocaleString("en")} more of {node.template} …
        </button>
      ) : null}
      <Handle
        type="source"
        position={vertical ? Position.Bottom : Position.Right}
        isConnectable={false}
      />
    </>
  );
}

/** The frame around the tasks of an opened template. */
export function TemplateFrame({ data }: NodeProps<FrameNode>) {
  return (
    <div className="frame">
      <Handle type="target" position={Position.Left} isConnectable={false} />
      {data.template}
      <Handle type="source" position={Position.Right} isConnectable={false} />
    </div>
  );
}

function TemplateBox({ node, deeds }: { node: GraphNode; deeds: GraphDeeds }) {
  const single = node.tasks === 1;
  // A workflow that was not submitted has no states yet: the preview shows how many tasks it makes.
  const planned = sum(node.states) === 0;
  const lead = planned ? "waiting" : leadingState(node.states);
  const words = planned ? plural(node.tasks, "task") : countsInWords(node.states);
  return (
    <button
      type="button"
      className={`box template-box edge-${lead}`}
      disabled={!deeds.expandable}
      title={deeds.expandable && !single ? `${words}; click to show its tasks` : words}
      onClick={() => (single ? deeds.onTask(node.label) : deeds.onExpand(node.template))}
    >
      <span className="box-head">
        <StateIcon state={lead} />
        <span className="box-name">{node.label}</span>
        {node.generator ? <span className="tag">generator</span> : null}
      </span>
      <span className="box-figures">
        {planned ? words : progressOf(node, lead)}
        {node.trigger && node.trigger !== "all_success" ? (
          <span> · when {triggerInWords(node.trigger)}</span>
        ) : null}
      </span>
      {planned ? null : <StateBar counts={node.states} thin />}
    </button>
  );
}

/** "7 of 24 ended"; of a single task its state. */
function progressOf(node: GraphNode, lead: string): string {
  if (node.tasks === 1) return lead;
  const ended = sum(node.states, ["succeeded", "failed", "skipped", "cancelled"]);
  return `${ended.toLocaleString("en")} of ${node.tasks.toLocaleString("en")} ended`;
}

function TaskBox({ node, deeds }: { node: GraphNode; deeds: GraphDeeds }) {
  const state = leadingState(node.states);
  return (
    <button
      type="button"
      className={`box task-box edge-${state} ${deeds.opened === node.id ? "opened" : ""}`}
      disabled={!deeds.expandable}
      title={`${node.label}: ${state}`}
      onClick={() => deeds.onTask(node.id)}
    >
      <StateIcon state={state} />
      <span className="box-name">{node.label}</span>
      <span className="unseen">{state}</span>
    </button>
  );
}
