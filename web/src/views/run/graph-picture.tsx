// A graph drawn: zoom, fit, and a map where it is large.

import "@xyflow/react/dist/style.css";
import {
  Background,
  BaseEdge,
  Controls,
  type Edge,
  type EdgeProps,
  MarkerType,
  MiniMap,
  ReactFlow,
  ReactFlowProvider,
  useReactFlow,
} from "@xyflow/react";
import { useEffect, useMemo, useState } from "react";
import type { Graph } from "../../api/types";
import { Fault, Loading } from "../../components/faults";
import { asApiError } from "../../hooks/use-resource";
import { useDark } from "../../hooks/use-theme";
import { leadingState } from "../../model/states";
import {
  blocksOf,
  type Direction,
  type Frame,
  type Layout,
  layOut,
  layoutKey,
  type Place,
  type Route,
  roundedPath,
  sizeOf,
} from "./graph-layout";
import {
  Box,
  type FlowNode,
  type FrameNode,
  GraphContext,
  type GraphDeeds,
  TemplateFrame,
} from "./graph-nodes";

const NODE_TYPES = { box: Box, frame: TemplateFrame };
const EDGE_TYPES = { routed: Routed };
const MAP_FROM_NODES = 40;

interface Laid extends Layout {
  key: string;
}

type RoutedEdge = Edge<{ points: Place[] }, "routed">;

export function GraphPicture({ graph, deeds }: { graph: Graph; deeds: GraphDeeds }) {
  const direction: Direction = innerWidth < 800 ? "DOWN" : "RIGHT";
  const key = layoutKey(graph, direction);
  const [laid, setLaid] = useState<Laid | null>(null);
  const [error, setError] = useState<unknown>(null);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the key says all that moves a node.
  useEffect(() => {
    let current = true;
    layOut(graph, direction).then(
      (layout) => current && setLaid({ key, ...layout }),
      (fault: unknown) => current && setError(fault),
    );
    return () => {
      current = false;
    };
  }, [key]);

  if (error) return <Fault error={asApiError(error)} />;
  if (!laid) return <Loading what="the layout" />;
  return (
    <GraphContext.Provider value={deeds}>
      <ReactFlowProvider>
        <Flow graph={graph} laid={laid} vertical={direction === "DOWN"} />
      </ReactFlowProvider>
    </GraphContext.Provider>
  );
}

function Flow({ graph, laid, vertical }: { graph: Graph; laid: Laid; vertical: boolean }) {
  const dark = useDark();
  const { fitView } = useReactFlow();
  const nodes = useMemo(
    () => [
      ...laid.frames.map(drawnFrame),
      ...graph.nodes
        .filter((node) => laid.places.has(node.id))
        .map(
          (node): FlowNode => ({
            id: node.id,
            type: "box",
            position: laid.places.get(node.id) ?? { x: 0, y: 0 },
            data: { node, vertical },
            ...sizeOf(node),
          }),
        ),
    ],
    [graph, laid, vertical],
  );
  const edges = useMemo(() => {
    const running = runningOf(graph);
    return laid.routes.map((route) => drawnEdge(route, running.has(route.from)));
  }, [graph, laid]);

  useEffect(() => {
    if (laid.key) void fitView({ maxZoom: 1.1, padding: 0.08, duration: 250 });
  }, [laid.key, fitView]);

  return (
    <ReactFlow
      nodes={nodes}
      edges={edges}
      nodeTypes={NODE_TYPES}
      edgeTypes={EDGE_TYPES}
      colorMode={dark ? "dark" : "light"}
      fitView
      fitViewOptions={{ maxZoom: 1.1, padding: 0.08 }}
      minZoom={0.05}
      maxZoom={2}
      nodesDraggable={false}
      nodesConnectable={false}
      nodesFocusable={false}
      edgesFocusable={false}
      elementsSelectable={false}
      onlyRenderVisibleElements={graph.nodes.length > 150}
      preventScrolling={false}
      zoomOnScroll={false}
      panOnScroll={false}
      zoomActivationKeyCode={["Control", "Meta"]}
    >
      <Background gap={22} size={1} />
      <Controls showInteractive={false} />
      {graph.nodes.length >= MAP_FROM_NODES ? (
        <MiniMap
          pannable
          zoomable
          style={{ width: 150, height: 100 }}
          maskColor="color-mix(in srgb, var(--sunken) 70%, transparent)"
          ariaLabel="Map of the graph"
          nodeColor={colourOnMap}
        />
      ) : null}
    </ReactFlow>
  );
}

function colourOnMap(node: FlowNode | FrameNode): string {
  return node.type === "box"
    ? `var(--state-${leadingState(node.data.node.states)})`
    : "transparent";
}

function Routed({ data, markerEnd }: EdgeProps<RoutedEdge>) {
  return <BaseEdge path={roundedPath(data?.points ?? [], 9)} markerEnd={markerEnd ?? ""} />;
}

function drawnFrame(frame: Frame): FrameNode {
  const { id, template, x, y, width, height } = frame;
  return { id, type: "frame", position: { x, y }, data: { template }, width, height, zIndex: -1 };
}

/** The nodes and frames in which something runs. */
function runningOf(graph: Graph): Set<string> {
  const { owner } = blocksOf(graph);
  const running = graph.nodes.filter((node) => (node.states.running ?? 0) > 0);
  return new Set(running.map((node) => owner.get(node.id) ?? node.id));
}

function drawnEdge(route: Route, moving: boolean): RoutedEdge {
  return {
    id: route.id,
    type: "routed",
    source: route.from,
    target: route.to,
    data: { points: route.points },
    animated: moving,
    markerEnd: { type: MarkerType.ArrowClosed, width: 15, height: 15 },
  };
}
