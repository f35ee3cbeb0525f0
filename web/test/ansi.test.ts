import { describe, expect, it } from "vitest";
import { ansiPieces, classesOf, overwritten, PLAIN } from "../src/model/ansi";

const ESC = "\u001b";
const texts = (line: string) => ansiPieces(line, PLAIN).pieces.map((piece) => piece.text);
const classes = (line: string) =>
  ansiPieces(line, PLAIN).pieces.map((piece) => classesOf(piece.style));

describe("a line with ANSI escapes", () => {
  it("is cut into pieces by its colours", () => {
    const line = `${ESC}[1;31mbad${ESC}[0m and ${ESC}[92mgood${ESC}[39m.`;

    expect(texts(line)).toEqual(["bad", " and ", "good", "."]);
    expect(classes(line)).toEqual(["ansi-1 ansi-bold", "", "ansi-10", ""]);
  });

  it("hands its colour to the next line", () => {
    const first = ansiPieces(`${ESC}[33mwarning`, PLAIN);

    expect(classesOf(ansiPieces("goes on", first.style).pieces[0]?.style ?? PLAIN)).toBe("ansi-3");
  });

  it("loses what only a terminal can obey", () => {
    const line = `a${ESC}[2K${ESC}[1Gb${ESC}]0;title\u0007c${ESC}]8;;http://x${ESC}\\d${ESC}(B\u0000e\tf`;

    expect(texts(line).join("")).toBe("abcde\tf");
  });

  it("never becomes markup", () => {
    expect(texts(`<img src=x>${ESC}[31m<script>`)).toEqual(["<img src=x>", "<script>"]);
  });

  it("takes the first 16 of 256 colours, and skips true colours whole", () => {
    expect(classes(`${ESC}[38;5;9ma`)).toEqual(["ansi-9"]);
    expect(classes(`${ESC}[38;2;1;2;3;4ma`)).toEqual(["ansi-underline"]);
    expect(classes(`${ESC}[48;5;200;1ma`)).toEqual(["ansi-bold"]);
  });

  it("that is broken off is no reason to fail", () => {
    expect(texts(`a${ESC}[3`)).toEqual(["a[3"]);
    expect(texts(`a${ESC}`)).toEqual(["a"]);
  });
});

describe("a carriage return", () => {
  it("writes over what stood before it", () => {
    expect(overwritten("10 %\r20 %\r30 %")).toBe("30 %");
  });

  it("at the end of a line belongs to the newline", () => {
    expect(overwritten("done\r")).toBe("done");
    expect(overwritten("1\r2\r")).toBe("2");
  });
});
