/** A text with the numbers of its lines beside it. */
export function NumberedText({ text, wrap }: { text: string; wrap?: boolean }) {
  const lines = text.replace(/\n$/, "").split("\n");
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
    <section className={wrap ? "numbered wrap" : "numbered"} tabIndex={0} aria-label="Text">
      <ol>
        {lines.map((line, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a line is its number.
          <li key={index}>
            <code>{line || " "}</code>
          </li>
        ))}
      </ol>
    </section>
  );
}
