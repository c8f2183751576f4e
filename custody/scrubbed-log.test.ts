import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createEgress } from "../providers/contract/egress-client.ts";
import { Secret } from "../providers/contract/secret.ts";
import { createLog } from "./scrubbed-log.ts";
import { createScrubber } from "./scrubber.ts";

function logTo() {
  const lines: string[] = [];
  const scrubber = createScrubber();
  const log = createLog({ level: "info", scrubber, destination: { write: (line) => void lines.push(line) } });
  return { lines, scrubber, log };
}

describe("the log", () => {
  it("writes one JSON line with time, level, event and listed fields", () => {
    const { lines, log } = logTo();
    log.warn("step.failed", { rotation: "rot_1", attempt: 2 });
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({
      level: "warn",
      event: "step.failed",
      rotation: "rot_1",
      attempt: 2,
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    });
  });

  it("tells why a call was refused, in a word, as the errors of providers promise", async () => {
    const { lines, log } = logTo();
    const egress = createEgress({
      allowedLocalPorts: [9],
      ownPorts: [],
      log,
      resolve: async () => Promise.resolve([]),
    });
    const signal = new AbortController().signal;
    await egress({ url: "http://127.0.0.1:8/", json: {} }, signal);
    await egress({ url: "https://gone.example.com/", json: {} }, signal);
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { event: "egress.refused", reason: "local-port" },
      { event: "egress.refused", reason: "unresolved" },
    ]);
  });

  it("invariant 6: leaves out a field that is not listed", () => {
    const { lines, log } = logTo();
    log("step.failed", { password: "hunter2", body: "hunter2" });
    expect(lines.join("")).not.toContain("hunter2");
  });

  it("invariant 6: scrubs a held value even from a listed field", async () => {
    const { lines, scrubber, log } = logTo();
    const secret = randomBytes(12).toString("hex");
    await scrubber.withHeld([{ password: new Secret(secret) }], async () => {
      log("step.failed", { code: `x${secret}y` });
      return Promise.resolve();
    });
    expect(lines.join("")).not.toContain(secret);
    expect(scrubber.hits()).toBe(1);
  });

  it("invariant 6: keeps of an error its kind and its frames, not its message", () => {
    const { lines, log } = logTo();
    const error = new TypeError("the password is hunter2");
    log.error("activity.unexpected", { error: error.stack ?? "" });
    expect(lines[0]).toContain("TypeError");
    expect(lines[0]).toContain("scrubbed-log.test.ts");
    expect(lines[0]).not.toContain("hunter2");
  });
});
