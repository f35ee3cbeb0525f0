import { describe, expect, it } from "vitest";
import { amountsOf } from "../src/model/amounts";

describe("amounts of a runner", () => {
  it("has cores and memory first, in words and as parts of what there is", () => {
    const found = amountsOf({
      total: { licences: 3, memory_mb: 8192, cores: 8, gpus: 0 },
      free: { cores: 2, memory_mb: 8192 },
    });

    expect(found.map((each) => [each.label, each.words, each.share])).toEqual([
      ["cores", "6 of 8", 0.75],
      ["memory", "0 B of 8.0 GiB", 0],
      ["licences", "3 of 3", 1],
    ]);
  });

  it("fills the bar with more than there is, and says so", () => {
    const [cores] = amountsOf({ total: { cores: 4 }, free: { cores: -2 } });

    expect([cores?.share, cores?.words]).toEqual([1, "6 of 4"]);
  });
});
