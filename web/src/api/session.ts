// Who is at the page: the token, where it is kept, and whether the server asks for one.

const KEY = "segue.token";

type Listener = () => void;

const listeners = new Set<Listener>();
let asked = false;
let generation = 0;

/** The token to send, or null where none was given. */
export function token(): string | null {
  return sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY);
}

/** Keep a token: for this tab, or with `remember` for this browser. */
export function signIn(value: string, remember: boolean): void {
  forget();
  (remember ? localStorage : sessionStorage).setItem(KEY, value);
  asked = false;
  announce();
}

/** Forget the token. */
export function signOut(): void {
  forget();
  announce();
}

/** Say that the server has refused what we sent: the page asks for a token. */
export function askForToken(): void {
  if (asked) return;
  asked = true;
  announce();
}

/** Whether the page must ask for a token now. */
export function tokenIsAsked(): boolean {
  return asked;
}

/** Grows with each sign-in and sign-out: what was fetched before is somebody else's view. */
export function sessionGeneration(): number {
  return generation;
}

export function onSessionChange(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function forget(): void {
  sessionStorage.removeItem(KEY);
  localStorage.removeItem(KEY);
}

function announce(): void {
  generation += 1;
  for (const listener of listeners) listener();
}
