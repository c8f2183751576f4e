import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { bundleWorkflowCode, Worker } from "@temporalio/worker";
import { beforeAll, describe, expect, it } from "vitest";
import { isPayloadFit } from "../../domain/payload.ts";

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const nothing = (): void => undefined;
const logger = { log: nothing, trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing };
const converter = path("../../workflows/payload-guard.ts");
const histories = readdirSync(path("histories")).filter((name) => name.endsWith(".json"));
const read = (name: string): string => readFileSync(path(`histories/${name}`), "utf8");

async function bundleOf(workflows: string): Promise<{ readonly code: string }> {
  return bundleWorkflowCode({ workflowsPath: path(workflows), payloadConverterPath: converter, logger });
}

async function replay(bundle: { readonly code: string }, name: string): Promise<void> {
  const options = { workflowBundle: bundle, dataConverter: { payloadConverterPath: converter } };
  await Worker.runReplayHistory(options, JSON.parse(read(name)) as unknown, "replay");
}

/** Every payload in a history, decoded. */
function payloadsIn(part: unknown): readonly unknown[] {
  if (typeof part !== "object" || part === null) return [];
  if ("metadata" in part && "data" in part && typeof part.data === "string")
    return [JSON.parse(Buffer.from(part.data, "base64").toString("utf8"))];
  return Object.entries(part).flatMap(([key, each]) => (key === "metadata" ? [] : payloadsIn(each)));
}

describe("recorded histories", () => {
  let bundle: { readonly code: string };

  beforeAll(async () => {
    bundle = await bundleOf("../../workflows/workflows.ts");
  });

  it("tell of rotations that were proven, undone and held", () => {
    expect(histories.length).toBeGreaterThanOrEqual(5);
    const all = histories.map(read).join("");
    for (const activity of ["prove", "undo", "guard", "runCheckStep"]) expect(all).toContain(`"name":"${activity}"`);
  });

  it.each(histories)("%s replays on the workflows as they are", async (name) => {
    await expect(replay(bundle, name)).resolves.toBeUndefined();
  });

  it("do not replay on a workflow that takes another step first", async () => {
    const changed = await bundleOf("planted-change.ts");
    const rotation = histories.find((name) => name.includes("rotateCredential")) ?? "";
    await expect(replay(changed, rotation)).rejects.toThrow(/determinis/i);
  });

  it.each(histories)("invariant 6: %s holds ids, numbers, booleans and codes, and nothing else", (name) => {
    const sent = payloadsIn(JSON.parse(read(name)));
    expect(sent.length).toBeGreaterThan(0);
    // Local activities leave a marker of the SDK's own, with times.
    const ours = sent.filter((value) => !(typeof value === "object" && value !== null && "seq" in value));
    expect(ours.filter((value) => !isPayloadFit(value))).toEqual([]);
  });
});
