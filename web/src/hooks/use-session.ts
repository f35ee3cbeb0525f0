import { useSyncExternalStore } from "react";
import { onSessionChange, sessionGeneration, tokenIsAsked } from "../api/session";

/** Changes when somebody signs in or out. */
export const useSession = (): number => useSyncExternalStore(onSessionChange, sessionGeneration);

export const useTokenAsked = (): boolean => useSyncExternalStore(onSessionChange, tokenIsAsked);
