import { createHmac, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { collect, fresh, ids, never, old, reach } from "../../test/harness/ask-challenge.ts";
import {
  go,
  node,
  python,
  runApplication,
  type Given,
  type Plant,
  type ResponderLanguage,
  type RunningApplication,
} from "../../test/harness/responder-programs.ts";
import { needs } from "../../test/harness/needs.ts";

const nonce = randomBytes(32).toString("base64url");
const nonceOf = (bytes: number) => randomBytes(bytes).toString("base64url");

const refusals: readonly (readonly [object, number])[] = [
  [{ nonce: nonceOf(31) }, 403],
  [{ nonce: nonceOf(33) }, 403],
  [{ nonce: "+".repeat(43) }, 403],
  [{ nonce: "B".repeat(43) }, 403], // bits to spare
  [{ nonce: `${nonce}\n` }, 403],
  [{ nonce: undefined }, 403],
  [{ nonce: null }, 403],
  [{ nonce: 7 }, 403],
  [{ consumer: "con_2" }, 403],
  [{ consumer: "con_1\n" }, 403],
  [{ consumer: ["con_1"] }, 403],
  [{ instance: undefined }, 403],
  [{ nonce: "A".repeat(4_000) }, 413],
];

function macOf(password: string, instanceId: string): string {
  const key = createHmac("sha256", password).update("rekey/challenge/v1").digest();
  const text = ["rekey/challenge/v1", ids.instance, ids.consumer, instanceId, nonce].join("\n");
  return createHmac("sha256", key).update(text).digest("base64url");
}

interface Tried {
  readonly language: ResponderLanguage;
  readonly consumerUnchecked: Plant;
  readonly nonceUnchecked: Plant;
}

const tried: readonly Tried[] = [
  {
    language: node,
    consumerUnchecked: { stands: "&& asked.consumer === consumer", becomes: "" },
    nonceUnchecked: { stands: "{42}[AEIMQUYcgkosw048]$/", becomes: "*$/" },
  },
  {
    language: python,
    consumerUnchecked: {
      stands: '(asked.get("instance"), asked.get("consumer")) == (instance, consumer)',
      becomes: 'asked.get("instance") == instance',
    },
    nonceUnchecked: { stands: "{42}[AEIMQUYcgkosw048]", becomes: "*" },
  },
  {
    language: go,
    consumerUnchecked: { stands: "&& asked.Consumer == settings.Consumer", becomes: "" },
    nonceUnchecked: { stands: "{42}[AEIMQUYcgkosw048]$", becomes: "*$" },
  },
];

describe.each(tried)("the responder in $language.name", ({ language, consumerUnchecked, nonceUnchecked }) => {
  type Command = Awaited<ReturnType<ResponderLanguage["prepare"]>>;
  let folder = "";
  let command: Command | undefined;
  const running: RunningApplication[] = [];

  async function prepare(name: string, plant?: Plant): Promise<Command> {
    await mkdir(join(folder, name));
    return language.prepare(join(folder, name), plant);
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "rekey-responder-"));
    if (language.missing === undefined) command = await prepare("right");
  });
  beforeEach((context) => {
    needs(context, language.missing === undefined, language.missing ?? "");
  });
  afterEach(async () => {
    for (const one of running.splice(0)) await one.stop();
  });
  afterAll(() => rm(folder, { recursive: true }));

  async function start(
    given: Partial<Given> = {},
    password: string | null = fresh.authenticator.reveal(),
    program = command,
  ) {
    if (program === undefined) throw new Error("it was not prepared");
    const whole: Given = { ...ids, instanceId: "a", host: "127.0.0.2", port: 0, file: null, ...given };
    const one = await runApplication(program, whole, password);
    running.push(one);
    return { ...one, ...reach([whole.host], one.port) };
  }

  test("attests an application whose pool is on the new version", async () => {
    expect(await collect(await start())).toEqual({ complete: true, instances: 1, lacks: [] });
  });

  test("attests with a password and a name that are not ASCII", async () => {
    const password = `pässwörd-\u{1f511}-${nonceOf(16)}`;
    const app = await start({ instanceId: "a/1<&>" }, password);
    const answer = await app.egress({ url: app.url, json: { ...ids, nonce } }, never);
    expect(answer).toMatchObject({ status: 200, body: { instanceId: "a/1<&>" } });
    expect(macOf(password, "a/1<&>")).toBe((answer.body as { mac: string }).mac);
  });

  test("answers with what the pool uses at that moment", async () => {
    const app = await start({}, old.authenticator.reveal());
    expect((await collect(app)).lacks[0]).toBe("Instance a at 127.0.0.2 is still on the old version 1.");
    await app.use(fresh.authenticator.reveal());
    expect((await collect(app)).complete).toBe(true);
  });

  test("invariant 4: one of three instances behind one name that is old is named", async () => {
    const { port } = await start();
    await start({ host: "127.0.0.3", port, instanceId: "b" }, old.authenticator.reveal());
    await start({ host: "127.0.0.4", port, instanceId: "c" });
    const answer = await collect(reach(["127.0.0.2", "127.0.0.3", "127.0.0.4"], port), { count: 3 });
    expect(answer).toMatchObject({ complete: false, instances: 2 });
    expect(answer.lacks[0]).toBe("Instance b at 127.0.0.3 is still on the old version 1.");
  });

  test.each([
    ["another consumer's id", { consumer: "con_2" }],
    ["another installation's id", { instance: "ins_2" }],
  ])("invariant 18: refuses when it was set up with %s, and the evidence says what to set", async (_name, given) => {
    expect((await collect(await start(given))).lacks[0]).toBe(
      "Address 127.0.0.2 answered with status 403. Its settings must name instance ins_1 and consumer con_1.",
    );
  });

  test("refuses what is not a challenge for it, and goes on", async () => {
    const app = await start();
    const ask = async (json: unknown) => (await app.egress({ url: app.url, json }, never)).status;
    for (const [change, status] of refusals)
      expect([change, await ask({ ...ids, nonce, ...change })]).toEqual([change, status]);
    for (const json of [null, "text", 7, [], [[[]]]]) expect([json, await ask(json)]).toEqual([json, 403]);
    expect(await ask({ ...ids, nonce })).toBe(200);
  });

  test("refuses what is no JSON, what nests without end, and a body of unknown length", async () => {
    const { url, port } = await start();
    const direct = url.replace("app.internal", "127.0.0.2");
    for (const body of ["{", "", "\u0000", "[".repeat(1_024), `${JSON.stringify({ ...ids, nonce })}x`])
      expect([body, (await fetch(direct, { method: "POST", body })).status]).toEqual([body, 403]);
    const stream = new Blob([JSON.stringify({ ...ids, nonce })]).stream();
    expect((await fetch(direct, { method: "POST", body: stream, duplex: "half" })).status).toBe(413);
    expect((await collect(reach(["127.0.0.2"], port))).complete).toBe(true);
  });

  test.each(["correct horse", "", null])("gives no answer with the password %j, which can be guessed", async (weak) => {
    const app = await start({}, weak);
    expect((await app.egress({ url: app.url, json: { ...ids, nonce } }, never)).status).toBe(503);
  });

  /** What an application does wrong, found by what it answers: the pool is old, the file holds the new version. */
  async function faultsOf(program: Command | undefined, given: Partial<Given> = {}): Promise<readonly string[]> {
    await writeFile(join(folder, "password"), fresh.authenticator.reveal(), { mode: 0o600 });
    const app = await start(given, old.authenticator.reveal(), program);
    const isTaken = async (change: object) =>
      (await app.egress({ url: app.url, json: { ...ids, nonce, ...change } }, never)).status === 200;
    const { lacks } = await collect(app);
    const lengths = await Promise.all([0, 16, 31, 33].map((bytes) => isTaken({ nonce: nonceOf(bytes) })));
    return [
      ...(lacks[0] === "Instance a at 127.0.0.2 is still on the old version 1." ? [] : ["answers from the file"]),
      ...((await isTaken({ consumer: "con_2" })) ? ["answers for another consumer"] : []),
      ...(lengths.includes(true) ? ["takes a nonce of another length"] : []),
    ];
  }

  describe("has none of the faults that are planted", () => {
    test("as it stands", async () => {
      expect(await faultsOf(command)).toEqual([]);
    });

    test("invariant 4: one that answers from the file is found out while its pool is old", async () => {
      expect(await faultsOf(command, { file: join(folder, "password") })).toEqual(["answers from the file"]);
    });

    test("one that takes a nonce of another length is found out", async () => {
      const program = await prepare("nonce", nonceUnchecked);
      expect(await faultsOf(program)).toEqual(["takes a nonce of another length"]);
    });

    test("invariant 18: one that answers whichever consumer is asked for is found out, and attests nobody else", async () => {
      const program = await prepare("consumer", consumerUnchecked);
      expect(await faultsOf(program)).toEqual(["answers for another consumer"]);
      const other = await start({ consumer: "con_2" }, fresh.authenticator.reveal(), program);
      const answer = await collect(other);
      expect(answer).toMatchObject({ complete: false, instances: 0 });
      expect(answer.lacks[0]).toContain("answered with another key than version 2");
    });
  });
});
