import { describe, expect, it } from "vitest";
import type { Instance, Instances } from "../../contract/consumer.ts";
import type { EvidenceQuestion } from "../../contract/evidence.ts";
import { Secret } from "../../contract/secret.ts";
import { platform } from "./definition.ts";

const context = {
  signal: new AbortController().signal,
  log: () => undefined,
  fetch: Object.assign(() => Promise.reject(new Error("nothing is fetched")), { resolve: () => Promise.resolve([]) }),
} as never;

const version = { version: 2, handle: "b#2", authenticator: new Secret("never asked for"), effectiveAt: "" };

function collect(shown: Partial<Instances> | undefined, config: unknown = {}) {
  const question: EvidenceQuestion = {
    config: platform.configSchema.parse(config),
    instance: "ins_1",
    consumer: "con_1",
    order: "overlap",
    expected: version,
    samples: [],
    observeForMs: 0,
    ...(shown === undefined
      ? {}
      : { instances: () => Promise.resolve({ instances: shown.instances ?? [], lacks: shown.lacks ?? [] }) }),
  };
  return platform.collect(question as never, context);
}

const pod = (name: string, state: Instance["state"], detail?: string): Instance =>
  detail === undefined ? { name, state } : { name, state, detail };

describe("evidence of a platform", () => {
  it("is complete when every instance runs with the newest delivery", async () => {
    expect(await collect({ instances: [pod("a", "new"), pod("b", "new")] })).toEqual({
      complete: true,
      instances: 2,
      lacks: [],
    });
  });

  it("lacks each instance that is old, starting or failed, by its name and with what is wrong", async () => {
    const shown = [pod("a", "new"), pod("b", "old"), pod("c", "starting"), pod("d", "failed", "the image is missing")];
    expect(await collect({ instances: shown })).toEqual({
      complete: false,
      instances: 1,
      lacks: [
        "Instance b has not started anew with version 2.",
        "Instance c is still starting.",
        "Instance d does not come up: the image is missing",
      ],
    });
  });

  it("lacks what no instance shows, although all are new", async () => {
    const lacks = ["Deployment web is paused."];
    expect(await collect({ instances: [pod("a", "new")], lacks })).toEqual({ complete: false, instances: 1, lacks });
  });

  it("is not given by nobody, nor by fewer than are declared", async () => {
    expect(await collect({})).toMatchObject({
      complete: false,
      instances: 0,
      lacks: ["Running with version 2: 0 of 1 instances."],
    });
    const few = await collect({ instances: [pod("a", "new")] }, { instances: 2 });
    expect(few).toMatchObject({ complete: false, lacks: ["Running with version 2: 1 of 2 instances."] });
  });

  it("is not given where the kind shows no instances", async () => {
    expect(await collect(undefined)).toMatchObject({ complete: false, instances: 0 });
  });

  it("names five of many, and says how many more", async () => {
    const shown = Array.from({ length: 9 }, (_, at) => pod(`p${at}`, "old"));
    const { lacks } = await collect({ instances: [...shown, pod("x", "new")] });
    expect(lacks).toHaveLength(6);
    expect(lacks[5]).toBe("And so with 4 more instances.");
  });

  it("shows nothing that could forge a line", async () => {
    const { lacks } = await collect({ instances: [pod("a\nb", "old")] });
    expect(lacks[0]).toContain("Instance a?b ");
  });
});
