import { useState } from "react";
import { signIn, token } from "../api/session";
import { Dialog } from "./dialog";

/** Asks for the token that the server wants. */
export function SignIn({ onClose }: { onClose: () => void }) {
  const [secret, setSecret] = useState("");
  const [remember, setRemember] = useState(false);
  // Where one was given, and it is asked again, that one was refused.
  const refused = token() !== null;
  return (
    <Dialog title="Sign in" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          signIn(secret.trim(), remember);
        }}
      >
        <p className="dialog-text">
          This server asks for a token. Whoever runs it makes one with{" "}
          <code>segue token create</code>.
        </p>
        {refused ? (
          <p className="dialog-text refused" role="alert">
            The server does not know the token that was given.
          </p>
        ) : null}
        <label className="field">
          <span>Token</span>
          <input
            type="password"
            name="token"
            data-first
            autoComplete="current-password"
            required
            value={secret}
            onChange={(event) => setSecret(event.target.value)}
          />
        </label>
        <label className="tick">
          <input
            type="checkbox"
            checked={remember}
            onChange={(event) => setRemember(event.target.checked)}
          />
          Remember it in this browser (else it is forgotten with this tab)
        </label>
        <footer>
          <button type="submit" className="button main" disabled={secret.trim() === ""}>
            Sign in
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
