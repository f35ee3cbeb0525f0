import { useState } from "react";
import { signIn } from "../api/session";
import { Dialog } from "./dialog";

/** Asks for the token that the server wants. */
export function SignIn({ onClose }: { onClose: () => void }) {
  const [secret, setSecret] = useState("");
  const [remember, setRemember] = useState(false);
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
        <label className="field">
          <span>Token</span>
          <input
            type="password"
            name="token"
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
