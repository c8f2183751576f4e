import { randomBytes } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readDocuments } from "./documents.ts";

const warnings: string[] = [];
const keep = (warning: Error) => void warnings.push(warning.message);

beforeEach(() => {
  warnings.length = 0;
  process.on("warning", keep);
});

afterEach(() => void process.off("warning", keep));

it.each([
  ["a list where a field's name belongs", (secret: string) => `spec:\n  ? [${secret}]\n  : 1\n`],
  ["a mapping where a field's name belongs", (secret: string) => `spec: { { ${secret}: 1 }: 2 }\n`],
])("invariant 6: what the parser says of %s, which it quotes, stays out of the log", async (_, text) => {
  const secret = `s${randomBytes(12).toString("hex")}`;
  readDocuments({ name: "rekey.yaml", text: text(secret) });
  await nextTurn();
  expect(warnings).toEqual([]);
});
