import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { metricNames } from "./metrics.ts";

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets: readonly { readonly expr: string }[];
}

const text = readFileSync(new URL("../deploy/grafana-dashboard.json", import.meta.url), "utf8");
const { panels } = JSON.parse(text) as { readonly panels: readonly Panel[] };
const asked = panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => expr.match(/\brekey_\w+/g) ?? []));

test("every panel of the dashboard asks for figures that rekey gives", () => {
  for (const { title, targets } of panels) {
    const names = targets.flatMap(({ expr }) => expr.match(/\brekey_\w+/g) ?? []);
    expect(names, title).toHaveLength(targets.length);
  }
  expect(asked.filter((name) => !metricNames.includes(name))).toEqual([]);
});

test("no figure that rekey gives is missing on it", () => {
  expect(metricNames.filter((name) => !asked.includes(name))).toEqual([]);
});

test("no two panels lie over each other or have one number", () => {
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) => {
    expect(x + w).toBeLessThanOrEqual(24);
    return Array.from({ length: w * h }, (_, at) => `${x + (at % w)},${y + Math.floor(at / w)}`);
  });
  expect(new Set(cells).size).toBe(cells.length);
});
