import type { Draft } from "./draft";

/** Where chosen files go: the first becomes the document ("document"), or only where there is
 * none ("drop"), or all of them go along with it ("along"). */
export type Purpose = "document" | "drop" | "along";

/** What of a draft changes when files are chosen. */
export async function readFiles(
  files: File[],
  purpose: Purpose,
  draft: Draft,
): Promise<Partial<Draft>> {
  const read = await Promise.all(
    files.map(async (file) => ({ name: file.name, text: await file.text() })),
  );
  const wanted = purpose === "document" || (purpose === "drop" && draft.document.trim() === "");
  const first = wanted ? read.shift() : undefined;
  const others = Object.fromEntries(read.map((file) => [file.name, file.text]));
  return {
    ...(first ? { document: first.text, path: first.name } : {}),
    files: { ...draft.files, ...others },
  };
}
