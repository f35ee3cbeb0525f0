import type { LiveStatus } from "../api/event-stream";

const WORDS: Record<LiveStatus, [string, string]> = {
  connecting: ["connecting", "Connecting to the server's events."],
  live: ["live", "Changes are shown as they happen."],
  reconnecting: ["reconnecting", "The stream of events has broken; trying again."],
};

/** Whether what is shown follows the server. */
export function LiveBadge({ status }: { status: LiveStatus }) {
  const [word, title] = WORDS[status];
  return (
    <span className={`live ${status}`} title={title} role="status">
      <span className="dot" aria-hidden="true" />
      {word}
    </span>
  );
}
