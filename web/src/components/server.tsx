// What the server says of itself and of the person at the page, for all views.

import { createContext, type ReactNode, useContext } from "react";
import { fetchServer } from "../api/endpoints";
import type { Role, ServerFacts } from "../api/types";
import { type Resource, useResource } from "../hooks/use-resource";

const Context = createContext<Resource<ServerFacts> | null>(null);

export function ServerProvider({ children }: { children: ReactNode }) {
  const server = useResource("server", fetchServer);
  return <Context.Provider value={server}>{children}</Context.Provider>;
}

export function useServer(): Resource<ServerFacts> {
  const server = useContext(Context);
  if (!server) throw new Error("outside of ServerProvider");
  return server;
}

const RANKS: Record<Role, number> = { viewer: 0, operator: 1, admin: 2 };

/** Why the person may not do what needs `role`, or null if they may. */
export function useRefusal(role: Role): string | null {
  const mine = useContext(Context)?.value?.role;
  if (!mine || RANKS[mine] >= RANKS[role]) return null;
  return `Your role is ${mine}; this needs ${role === "admin" ? "an admin" : `an ${role}`}.`;
}
