// The frame: what stands around every view, and which view the address asks for.

import { lazy, Suspense, useEffect, useState } from "react";
import { signOut, token } from "./api/session";
import { ActionProvider } from "./components/actions";
import { Empty, Loading } from "./components/faults";
import { Mark, type MarkName } from "./components/icons";
import { KeyHelp } from "./components/key-help";
import { ServerProvider, useServer } from "./components/server";
import { SignIn } from "./components/sign-in";
import { useKeys } from "./hooks/use-keys";
import { useSession, useTokenAsked } from "./hooks/use-session";
import { setTheme, type Theme, useTheme } from "./hooks/use-theme";
import { Link, navigate, useRoute } from "./router/navigation";
import type { Route } from "./router/route";
import { PoolsView } from "./views/pools/pools-view";
import { RunView } from "./views/run/run-view";
import { RunsView } from "./views/runs/runs-view";

const SubmitView = lazy(() =>
  import("./views/submit/submit-view").then((module) => ({ default: module.SubmitView })),
);

export function App() {
  return (
    <ServerProvider>
      <ActionProvider>
        <Frame />
      </ActionProvider>
    </ServerProvider>
  );
}

function Frame() {
  const route = useRoute();
  const [help, setHelp] = useState(false);
  const asked = useTokenAsked();
  const [away, setAway] = useState(false);
  const session = useSession();
  // biome-ignore lint/correctness/useExhaustiveDependencies: who comes or goes may be asked again.
  useEffect(() => setAway(false), [session]);
  useKeys({
    "?": () => setHelp(true),
    "g r": () => navigate("/"),
    "g s": () => navigate("/submit"),
    "g p": () => navigate("/pools"),
    "/": () => document.querySelector<HTMLInputElement>('input[type="search"]')?.focus(),
  });
  useEffect(() => {
    document.title = titleOf(route);
  }, [route]);
  return (
    <>
      <a className="skip" href="#content">
        To the content
      </a>
      <TopBar
        view={route.view}
        onHelp={() => setHelp(true)}
        onSignIn={asked && away ? () => setAway(false) : null}
      />
      <main id="content" tabIndex={-1}>
        <Suspense fallback={<Loading what="the view" />}>
          <View route={route} />
        </Suspense>
      </main>
      {help ? <KeyHelp onClose={() => setHelp(false)} /> : null}
      {asked && !away ? <SignIn onClose={() => setAway(true)} /> : null}
    </>
  );
}

function View({ route }: { route: Route }) {
  if (route.view === "runs") return <RunsView />;
  if (route.view === "run") {
    return <RunView key={route.id} id={route.id} tab={route.tab} task={route.task} />;
  }
  if (route.view === "submit") return <SubmitView />;
  if (route.view === "pools") return <PoolsView />;
  return (
    <Empty title="Nothing is here">
      <p>
        No view has the address <code>{route.path}</code>.
      </p>
      <p>
        <Link to="/">All runs</Link>
      </p>
    </Empty>
  );
}

function TopBar({
  view,
  onHelp,
  onSignIn,
}: {
  view: Route["view"];
  onHelp: () => void;
  /** Asks for the token that was not given; null where none is asked for. */
  onSignIn: (() => void) | null;
}) {
  const here = (name: string) => (view === name ? "page" : undefined);
  return (
    <header className="top">
      <Link to="/" className="brand" aria-label="Segue: all runs">
        <img src="/favicon.svg" alt="" width="22" height="22" />
        <span>Segue</span>
      </Link>
      <nav aria-label="Views">
        <Link to="/" aria-current={here("runs") ?? (view === "run" ? "true" : undefined)}>
          Runs
        </Link>
        <Link to="/submit" aria-current={here("submit")}>
          Submit
        </Link>
        <Link to="/pools" aria-current={here("pools")}>
          Pools
        </Link>
      </nav>
      <div className="top-end">
        <Person />
        {onSignIn ? (
          <button type="button" className="button small" onClick={onSignIn}>
            Sign in
          </button>
        ) : null}
        <ThemeButton />
        <button
          type="button"
          className="button small"
          onClick={onHelp}
          aria-label="Keys"
          title="Keys (?)"
        >
          <kbd>?</kbd>
        </button>
      </div>
    </header>
  );
}

function Person() {
  const { value } = useServer();
  if (!value) return null;
  const name = value.user ?? "";
  return (
    <span
      className="person"
      title={`Segue ${value.version} on ${value.host}, store ${value.store}`}
    >
      <span className="wide-only">{value.host}</span>
      {value.authRequired ? (
        <span>
          {name} ({value.role})
        </span>
      ) : null}
      {token() ? (
        <button type="button" className="link" onClick={signOut}>
          Sign out
        </button>
      ) : null}
    </span>
  );
}

const NEXT: Record<Theme, [Theme, MarkName, string]> = {
  system: ["light", "half", "as the system"],
  light: ["dark", "sun", "light"],
  dark: ["system", "moon", "dark"],
};

function ThemeButton() {
  const current = useTheme();
  const [next, mark, words] = NEXT[current];
  return (
    <button
      type="button"
      className="button small"
      aria-label={`Theme: ${words}`}
      title={`Theme: ${words}`}
      onClick={() => setTheme(next)}
    >
      <Mark name={mark} />
    </button>
  );
}

function titleOf(route: Route): string {
  if (route.view === "run") return `${route.task ?? route.id} · Segue`;
  if (route.view === "nowhere") return "Nothing here · Segue";
  return `${route.view === "runs" ? "Runs" : route.view === "submit" ? "Submit" : "Pools"} · Segue`;
}
