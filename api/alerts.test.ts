import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { metricNames } from "./metrics.ts";

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string };
}

const text = readFileSync(new URL("../deploy/alerts.yml", import.meta.url), "utf8");
const { groups } = parse(text) as { readonly groups: readonly { readonly rules: readonly Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);

test("every alert asks for a figure that rekey gives, and says what is wrong", () => {
  const names = rules.flatMap(({ expr }) => expr.match(/\brekey_\w+/g) ?? []);
  expect(names.length).toBeGreaterThan(5);
  expect(names.filter((name) => !metricNames.includes(name))).toEqual([]);
  for (const { labels, annotations } of rules) {
    expect(["critical", "warning"]).toContain(labels.severity);
    expect(annotations.summary).toMatch(/\.$/);
  }
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
});
