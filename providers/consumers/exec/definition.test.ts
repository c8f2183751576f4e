import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { codes, RekeyError } from "../../../domain/errors.ts";
import { Secret } from "../../contract/secret.ts";
import { programCodes } from "./protocol.ts";
import { generous, startTrial, type Trial, type TrialOptions } from "../../../test/harness/own-program.ts";
import { deliveryOf, randomText } from "../file/trial.ts";

let trial: Trial;
let seen: string;
beforeEach(async () => {
  trial = await startTrial();
  seen = join(trial.folder, "seen");
});
afterEach(async () => trial.end());

async function refusal(work: Promise<unknown>): Promise<RekeyError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof RekeyError) return error;
  throw new Error("it was to fail with an error of ours", { cause: error });
}

async function observing(script: string, options?: TrialOptions): Promise<RekeyError> {
  return refusal((await trial.open(script, options)).observe());
}

describe("a request", () => {
  it("is one JSON object with the protocol, the action and the target, and only a delivery has the value", async () => {
    const script = `fs.appendFileSync(${JSON.stringify(seen)}, JSON.stringify(request) + "\\n");
      if (request.action === "deliver") answer({ digest: digest(request.value) });
      else if (request.action === "preflight") answer({ findings: [] });
      else answer({ digest: digest({ password: ${JSON.stringify(seen)} }), isEmpty: false, number: { epoch: 1, number: 3 } });`;
    const session = await trial.open(script, { config: { reload: true } });
    const delivery = deliveryOf(3, seen, "f".repeat(64));
    await session.preflight([delivery.value]);
    await session.deliver(delivery);
    await session.reload?.();
    const requests = readFileSync(seen, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const common = { protocol: 1, target: "orders", fields: ["password"], key: requests[0]?.["key"] };
    const id: unknown = expect.stringMatching(/^[0-9a-f]{32}$/);
    expect(requests).toEqual([
      { ...common, id, action: "preflight", values: [{ password: seen }] },
      {
        ...common,
        ...{ id, action: "deliver", version: 3, number: { epoch: 1, number: 3 } },
        ...{ value: { password: seen }, expected: "f".repeat(64) },
      },
      { ...common, id, action: "observe" },
      { ...common, id, action: "reload" },
    ]);
    expect(new Set(requests.map((request) => request["id"])).size).toBe(4);
  });

  it("is not made where the settings have no such program", async () => {
    for (const programs of [undefined, {}, { other: { argv: ["/bin/true"], timeoutMs: 1 } }] as const) {
      const session = await trial.openOn(programs, { config: { program: "constructor" } });
      const error = await refusal(session.deliver(deliveryOf(1, randomText())));
      expect(error).toMatchObject({ name: "OperatorNeededError", code: "target_refused" });
      expect(error.detail).toMatch(/no program "constructor".*REKEY_EXEC_CONSUMERS_FILE/);
      expect(await session.preflight()).toEqual([{ code: "target_refused", detail: error.detail }]);
    }
  });

  it("invariant 13: is not made with a value that is empty, redacted or cut", async () => {
    const session = await trial.open(`fs.writeFileSync(${JSON.stringify(seen)}, "asked")`, {
      config: { fields: ["username"] },
    });
    for (const username of ["", "***", "<redacted>", "a\nb", "cut \ud83d"]) {
      const error = await refusal(session.deliver({ ...deliveryOf(1, "x"), value: { username } }));
      expect(error.code).toBe("value_unfit");
      expect((await session.preflight([{ username }])).map(({ code }) => code)).toEqual(["value_unfit"]);
    }
    expect((await refusal(session.deliver({ ...deliveryOf(1, "x"), value: {} }))).code).toBe("value_unfit");
    expect(() => readFileSync(seen)).toThrow("ENOENT");
  });

  it("is not made once the caller has cancelled, and ends with the caller's own reason", async () => {
    const abort = new AbortController();
    const reason = new Error("cancelled by the caller");
    const session = await trial.open(`fs.writeFileSync(${JSON.stringify(seen)}, "asked")`, { signal: abort.signal });
    abort.abort(reason);
    await expect(session.deliver(deliveryOf(1, "next"))).rejects.toBe(reason);
    await expect(session.preflight()).rejects.toBe(reason);
    expect(() => readFileSync(seen)).toThrow("ENOENT");
  });

  it("that is under way when the caller cancels ends with the caller's own reason", async () => {
    const abort = new AbortController();
    const reason = new Error("cancelled by the caller");
    const sleeping = { own: { argv: ["/bin/sleep", "1000"], timeoutMs: generous } } as const;
    const session = await trial.openOn(sleeping, { signal: abort.signal });
    const running = session.observe();
    abort.abort(reason);
    await expect(running).rejects.toBe(reason);
  });
});

describe("an answer that is none", () => {
  const garbage: readonly (readonly [what: string, script: string, says: RegExp])[] = [
    ["nothing", "", /with nothing\./],
    ["text", 'console.log("all is well")', /not one JSON object/],
    ["two objects", "answer({}); answer({})", /not one JSON object/],
    ["bytes that are not text", "process.stdout.write(Buffer.from([0x22, 0xff, 0x22]))", /not one JSON object/],
    ["null", 'console.log("null")', /lacks 'protocol' or 'id'/],
    ["a later protocol", "answer({ protocol: 2 })", /protocol 2, where this release speaks 1/],
    ["that of another request", 'answer({ id: "x" })', /id of another request/],
    ["a missing part", "answer({ isEmpty: true })", /'digest' missing/],
    ["a digest that is none", 'answer({ digest: "x", isEmpty: true })', /'digest' missing or not/],
    [
      "a negative number",
      "answer({ digest: digest({}), isEmpty: true, number: { epoch: -1, number: 1 } })",
      /'number'/,
    ],
    ["a digest of its own making", 'answer({ digest: "0".repeat(64), isEmpty: true })', /does not fit 'isEmpty'/],
    ["an empty target that is not empty", "answer({ digest: digest({}), isEmpty: false })", /does not fit 'isEmpty'/],
    ["an unknown code", 'answer({ error: "out_of_milk" })', /error code that the protocol does not have/],
    ["a code that is not a target's", 'answer({ error: "custody_missing" })', /error code that the protocol/],
    ["too much", 'process.stdout.write("x".repeat(100_000))', /more than 65536 bytes/],
  ];
  it.each(garbage)("%s", async (_, script, says) => {
    const error = await observing(script);
    expect(error).toMatchObject({ name: "OperatorNeededError", code: "internal" });
    expect(error.detail).toMatch(says);
    expect(error.detail).toMatch(/program "own" answered to observe.*README\.md.*retry/);
  });

  it("of a program that has not read its input", async () => {
    const canned = JSON.stringify({ protocol: 1, id: "x", digest: "0".repeat(64), isEmpty: false });
    const session = await trial.openOn({ own: { argv: ["/bin/echo", canned], timeoutMs: generous } });
    expect((await refusal(session.observe())).detail).toMatch(/as if it had not read this one/);
  });

  it("of a program that ended early, was ended, or took too long: tried again", async () => {
    const transient = { name: "TransientError", code: "target_unreachable" };
    const early = await observing("answer({ digest: digest({}), isEmpty: true }); process.exitCode = 7");
    expect(early).toMatchObject(transient);
    expect(early.detail).toMatch(/asked to observe, ended with code 7/);
    const killed = await observing('process.kill(process.pid, "SIGKILL")');
    expect(killed).toMatchObject(transient);
    expect(killed.detail).toMatch(/ended by a signal/);
    const slow = await observing("setInterval(() => undefined, 1000)", { entry: { timeoutMs: 1000 } });
    expect(slow).toMatchObject(transient);
    expect(slow.detail).toMatch(/longer than 1000 ms/);
  });

  it("of a program that is not there: a person is needed", async () => {
    const session = await trial.openOn({ own: { argv: [seen], timeoutMs: generous } });
    const error = await refusal(session.observe());
    expect(error).toMatchObject({ name: "OperatorNeededError", code: "target_unreachable" });
    expect(error.detail).toMatch(/could not be started \(ENOENT\)/);
  });

  it("of a program whose user the worker may not become: a person is needed", async () => {
    const before = process.geteuid?.() ?? -1;
    if (before === 0) process.seteuid?.(65_534);
    try {
      const error = await observing("", { entry: { uid: 12_345 } });
      expect(error).toMatchObject({ name: "OperatorNeededError", code: "target_refused" });
      expect(error.detail).toMatch(/may not become the user 12345/);
    } finally {
      if (before === 0) process.seteuid?.(before);
    }
  });
});

describe("an error that a program gives", () => {
  it.each(programCodes)("%s is ours to word, and ends so", async (code) => {
    const error = await observing(`answer({ error: ${JSON.stringify(code)}, detail: "of the program" })`);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(new RegExp(`^${codes[code]}: The program "own" .*\\.$`));
    expect(error.message).not.toContain("of the program");
  });

  it("is a finding of the preflight, each code once", async () => {
    const script = 'answer({ findings: ["target_full", "target_full", "target_read_only", "out_of_milk"] })';
    const found = await (await trial.open(script)).preflight();
    expect(found.map(({ code }) => code)).toEqual(["target_full", "target_read_only", "internal"]);
    const failed = await (await trial.open('answer({ error: "target_malformed" })')).preflight();
    expect(failed.map(({ code }) => code)).toEqual(["target_malformed"]);
  });

  it("of a reload is that the application was not told, whatever the program said or did", async () => {
    for (const script of ['answer({ error: "target_full" })', "process.exitCode = 3", "answer({ protocol: 9 })"]) {
      const session = await trial.open(script, { config: { reload: true } });
      const error = await refusal(session.reload?.() ?? Promise.resolve());
      expect(error).toMatchObject({ name: "OperatorNeededError", code: "reload_failed" });
      expect(error.detail).toMatch(/The target is written/);
      expect(error.detail).not.toMatch(/tried again/);
    }
  });
});

describe("invariant 6: the value", () => {
  it("is not shown, whatever the program prints and however it ends", async () => {
    const password = randomText();
    const tell = "console.error(request.value.password);";
    const scripts = [
      `${tell} console.log(request.value.password); process.exitCode = 3`,
      `${tell} console.log(request.value.password)`,
      `${tell} answer({ error: request.value.password })`,
      `${tell} answer({ error: "target_refused", detail: request.value.password })`,
      `${tell} answer({ digest: request.value.password })`,
      `${tell} answer({ [request.value.password]: 1 })`,
      `${tell} answer({ id: request.value.password })`,
      `${tell} throw new Error(request.value.password)`,
    ];
    for (const script of scripts) {
      const error = await refusal((await trial.open(script)).deliver(deliveryOf(1, password)));
      expect(`${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`).not.toContain(password);
      const found = await (
        await trial.open(script.replaceAll("request.value", "request.values[0]"))
      ).preflight([{ password: new Secret(password) }]);
      expect(found).toHaveLength(1);
      expect(JSON.stringify(found)).not.toContain(password);
    }
  });

  it("is in no argument and no variable", async () => {
    const password = randomText();
    const look = `fs.appendFileSync(${JSON.stringify(seen)}, fs.readFileSync("/proc/self/cmdline") + "|" + fs.readFileSync("/proc/self/environ"));`;
    const session = await trial.open(`${look} answer({ digest: digest(request.value) })`);
    await refusal(session.deliver(deliveryOf(1, password)));
    const text = readFileSync(seen, "utf8");
    expect(text).toContain("cmdline");
    expect(text.endsWith("|")).toBe(true);
    expect(text).not.toContain(password);
  });
});

describe("a delivery", () => {
  const answering = (delivered: string, observed: string) =>
    `if (request.action === "deliver") { ${delivered} } else { ${observed} }`;
  const saysYes = "answer({ digest: digest(request.value) })";
  const sees = (password: string, number: number) =>
    `answer({ digest: digest({ password: ${JSON.stringify(password)} }), isEmpty: false, number: { epoch: 1, number: ${number} } })`;

  async function deliver(script: string): Promise<unknown> {
    return (await trial.open(script)).deliver(deliveryOf(3, "next"));
  }

  it("counts when the target is seen to hold it under its number", async () => {
    await expect(deliver(answering(saysYes, sees("next", 3)))).resolves.toMatchObject({
      digest: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  it("invariant 12: does not count by the program's word alone", async () => {
    const drift = { name: "OperatorNeededError", code: "target_drift" };
    expect(await refusal(deliver(answering(saysYes, sees("before", 3))))).toMatchObject(drift);
    expect(await refusal(deliver(answering('answer({ digest: digest({ password: "before" }) })', "")))).toMatchObject(
      drift,
    );
  });

  it("invariant 7: does not count without its number, nor after a later one", async () => {
    const lower = await refusal(deliver(answering(saysYes, sees("next", 2))));
    expect(lower).toMatchObject({ code: "internal" });
    expect(lower.detail).toMatch(/a lower number than it was delivered/);
    const none = answering(saysYes, "answer({ digest: digest({ password: 'next' }), isEmpty: false, number: null })");
    expect(await refusal(deliver(none))).toMatchObject({ code: "internal" });
    const later = await refusal(deliver(answering(saysYes, sees("later", 4))));
    expect(later).toMatchObject({ name: "PermanentError", code: "claim_outdated" });
  });
});

describe("a session", () => {
  it("reloads only where the registration says so", async () => {
    expect((await trial.open("")).reload).toBeUndefined();
    expect((await trial.open("", { config: { reload: true } })).reload).toBeTypeOf("function");
  });

  it("gives a program a key for its target alone: equal values at two targets do not show as equal", async () => {
    const script = `fs.appendFileSync(${JSON.stringify(seen)}, request.key + "\\n"); answer({ digest: digest({ password: "x" }), isEmpty: false })`;
    writeFileSync(seen, "");
    const one = await (await trial.open(script)).observe();
    const two = await (await trial.open(script, { config: { target: "stock" } })).observe();
    expect(one.digest).not.toBe(two.digest);
    expect(new Set(readFileSync(seen, "utf8").trim().split("\n")).size).toBe(2);
    expect(one.holds({ password: new Secret("x") })).toBe(true);
    expect(one.holds({ password: new Secret("y") })).toBe(false);
  });
});
