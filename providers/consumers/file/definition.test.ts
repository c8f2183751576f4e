import { readFile, stat, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Secret } from "../../contract/secret.ts";
import { file } from "./definition.ts";
import { nodeFileSystem, type FileSystem } from "./file-system.ts";
import { deliveryOf, randomText, startTrial, type Trial } from "./trial.ts";

describe("a file with one key of ours", () => {
  let trial: Trial;
  beforeEach(async () => {
    trial = await startTrial("# orders\nMODE=live\nPASSWORD=before\n", "app.env", 0o640);
  });
  afterEach(async () => trial.end());

  it("is delivered, read back and observed, and keeps its mode and everything of others", async () => {
    const session = await trial.open();
    const password = randomText();
    const delivery = deliveryOf(7, password, (await session.observe()).digest);
    const { digest } = await session.deliver(delivery);
    expect(await trial.text()).toBe(`# orders\nMODE=live\nPASSWORD=${password}\n`);
    expect((await stat(trial.path)).mode & 0o7777).toBe(0o640);
    const seen = await session.observe();
    expect(seen).toMatchObject({ digest, number: { epoch: 1, number: 7 } });
    expect(seen.holds(delivery.value)).toBe(true);
    expect(seen.holds(deliveryOf(7, randomText()).value)).toBe(false);
    expect(await trial.leftovers()).toEqual([]);
  });

  it("is a file of mode 0600, or the registered one, where there was none", async () => {
    for (const [mode, bits] of [
      [undefined, 0o600],
      ["0640", 0o640],
    ] as const) {
      await unlink(trial.path);
      const session = await trial.open({ config: mode === undefined ? {} : { mode } });
      expect(await session.preflight()).toEqual([]);
      await session.deliver(deliveryOf(bits, "made"));
      expect(await trial.text()).toBe("PASSWORD=made\n");
      expect((await stat(trial.path)).mode & 0o7777).toBe(bits);
    }
  });

  it("keeps the side file to its user and free of the value", async () => {
    const session = await trial.open();
    const password = randomText();
    await session.deliver(deliveryOf(3, password));
    const side = join(trial.folder, ".app.env.rekey");
    expect((await stat(side)).mode & 0o7777).toBe(0o600);
    const text = await readFile(side, "utf8");
    expect(JSON.parse(text)).toMatchObject({ number: { epoch: 1, number: 3 }, version: 3 });
    expect(text).not.toContain(password);
  });

  it("invariant 8: the same delivery twice is one", async () => {
    const session = await trial.open();
    const first = await session.observe();
    const delivery = deliveryOf(7, randomText(), first.digest);
    const once = await session.deliver(delivery);
    const inode = (await stat(trial.path)).ino;
    expect(await session.deliver(delivery)).toEqual(once);
    expect((await stat(trial.path)).ino).toBe(inode);
  });

  it("invariant 12: a hand on another key is kept, a hand on ours is drift", async () => {
    const session = await trial.open();
    const { digest } = await session.deliver(deliveryOf(1, "first"));
    await writeFile(trial.path, (await trial.text()).replace("MODE=live", "MODE=test # by hand"));
    const second = await session.deliver(deliveryOf(2, "second", digest));
    expect(await trial.text()).toBe("# orders\nMODE=test # by hand\nPASSWORD=second\n");
    await writeFile(trial.path, (await trial.text()).replace("second", "by-hand"));
    await expect(session.deliver(deliveryOf(3, "third", second.digest))).rejects.toMatchObject({
      name: "OperatorNeededError",
      code: "target_drift",
    });
    expect(await trial.text()).toContain("PASSWORD=by-hand\n");
  });

  it("invariant 12: reads back, so that a hand right after the write is not taken for ours", async () => {
    const edited: FileSystem = {
      ...nodeFileSystem,
      replace: async (...args) => {
        const outcome = await nodeFileSystem.replace(...args);
        await writeFile(trial.path, "PASSWORD=by-hand\n");
        return outcome;
      },
    };
    await expect((await trial.open({ fs: edited })).deliver(deliveryOf(1, "next"))).rejects.toMatchObject({
      name: "OperatorNeededError",
      code: "target_drift",
    });
    expect(await trial.text()).toBe("PASSWORD=by-hand\n");
  });

  it("invariant 12: gives up for now when others change the file without end, and keeps what they wrote", async () => {
    let edits = 0;
    const restless: FileSystem = {
      ...nodeFileSystem,
      replace: async (...args) => {
        await writeFile(trial.path, `PASSWORD=before\nEDIT=${++edits}\n`);
        return nodeFileSystem.replace(...args);
      },
    };
    await expect((await trial.open({ fs: restless })).deliver(deliveryOf(1, "next"))).rejects.toMatchObject({
      name: "TransientError",
      code: "target_drift",
    });
    expect(edits).toBeGreaterThan(1);
    expect(await trial.text()).toBe(`PASSWORD=before\nEDIT=${edits}\n`);
    expect(await trial.leftovers()).toEqual([]);
  });

  it("invariant 12: a file that somebody deleted is drift", async () => {
    const session = await trial.open();
    const { digest } = await session.deliver(deliveryOf(1, "first"));
    await unlink(trial.path);
    await expect(session.deliver(deliveryOf(2, "second", digest))).rejects.toMatchObject({ code: "target_drift" });
    await expect(stat(trial.path)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("invariant 8: an answer that was lost is no drift: it holds what it should", async () => {
    const session = await trial.open();
    const { digest } = await session.observe();
    await session.deliver(deliveryOf(1, "next", digest));
    await expect(session.deliver(deliveryOf(2, "next", digest))).resolves.toHaveProperty("digest");
    expect(await trial.sideNumber()).toBe(2);
  });

  it("invariant 7: a lower number is refused, in the same epoch or an earlier one", async () => {
    const session = await trial.open();
    await session.deliver({ ...deliveryOf(4, "newer"), number: { epoch: 2, number: 1 } });
    for (const number of [
      { epoch: 1, number: 99 },
      { epoch: 2, number: 0 },
    ])
      await expect(session.deliver({ ...deliveryOf(3, "older"), number })).rejects.toMatchObject({
        name: "PermanentError",
        code: "claim_outdated",
      });
    expect(await trial.text()).toContain("PASSWORD=newer\n");
    expect(await trial.leftovers()).toEqual([]);
  });

  it("invariant 7: a delivery that changed nothing still outdates the older ones", async () => {
    const session = await trial.open();
    await session.deliver(deliveryOf(5, "before"));
    await expect(session.deliver(deliveryOf(4, "late"))).rejects.toMatchObject({ code: "claim_outdated" });
    expect(await trial.text()).toContain("PASSWORD=before\n");
  });

  it("removes what earlier crashes left, and leaves what only looks like it", async () => {
    const name = (number: string, kind: string): string => `.app.env.rekey.${number}-${"a".repeat(32)}.${kind}`;
    const foreign = [".app.env.rekey.notes", ".app.envy.rekey.1-1-aa.value", `${name("1-2", "value")}.bak`];
    for (const each of [name("1-2", "value"), name("1-3", "turn"), ...foreign])
      await writeFile(join(trial.folder, each), "left");
    await (await trial.open()).deliver(deliveryOf(3, "next"));
    expect([...(await trial.leftovers())].sort()).toEqual([...foreign].sort());
  });

  it("stops between two steps when it is cancelled, with the caller's own reason", async () => {
    const abort = new AbortController();
    const session = await trial.open({ signal: abort.signal });
    const reason = new Error("cancelled by the caller");
    abort.abort(reason);
    await expect(session.deliver(deliveryOf(1, "next"))).rejects.toBe(reason);
    expect(await trial.text()).toContain("PASSWORD=before\n");
  });

  it("says so when the side file was damaged, and does not write", async () => {
    await writeFile(join(trial.folder, ".app.env.rekey"), "{}");
    const session = await trial.open();
    const refusal = { name: "OperatorNeededError", code: "target_malformed" };
    await expect(session.deliver(deliveryOf(1, "next"))).rejects.toMatchObject(refusal);
    await expect(session.observe()).rejects.toMatchObject(refusal);
    expect((await session.preflight()).map(({ code }) => code)).toEqual(["target_malformed"]);
    expect(await trial.leftovers()).toEqual([]);
  });
});

describe("two credentials in one file", () => {
  let trial: Trial;
  beforeEach(async () => {
    trial = await startTrial('{ "a": { "password": "1" }, "b": "2", "big": 12345678901234567890 }', "app.json");
  });
  afterEach(async () => trial.end());

  it("take turns by one target and one series of numbers, and see no drift in each other's keys", async () => {
    const first = await trial.open({ config: { format: "json", keys: { "a.password": "password" } } });
    const second = await trial.open({ config: { format: "json", keys: { b: "password" } } });
    const [before, other] = [await first.observe(), await second.observe()];
    await first.deliver(deliveryOf(1, "x", before.digest));
    await second.deliver(deliveryOf(2, "y", other.digest));
    expect(await trial.text()).toBe('{ "a": { "password": "x" }, "b": "y", "big": 12345678901234567890 }');
    await expect(first.deliver(deliveryOf(1, "late"))).rejects.toMatchObject({ code: "claim_outdated" });
  });
});

describe("the definition", () => {
  const config = { path: "/srv/app.env", format: "dotenv", keys: { USER: "username", PASSWORD: "password" } } as const;

  it("names the target by its path, and each field once", () => {
    expect(file.kind).toBe("file");
    expect(file.targetOf(config)).toBe("file:/srv/app.env");
    expect(file.noteOf?.(file.targetOf(config), "main/orders-file")).toMatch(
      /^\/srv\/app\.env must lie below .* REKEY_FILE_ROOTS .* now: rekey consumer test main\/orders-file$/,
    );
    expect(file.fieldsOf({ ...config, keys: { ...config.keys, AGAIN: "password" } })).toEqual(["username", "password"]);
  });

  it("writes user name and password as one", async () => {
    const trial = await startTrial("USER=a\nPASSWORD=b\n");
    try {
      const session = await trial.open({ config: { keys: config.keys } });
      await session.deliver(deliveryOf(1, "next"));
      expect(await trial.text()).toBe("USER=orders_b\nPASSWORD=next\n");
    } finally {
      await trial.end();
    }
  });

  it("does not show equal values at two targets as equal", async () => {
    const [one, two] = [await startTrial("PASSWORD=same\n"), await startTrial("PASSWORD=same\n")];
    try {
      const digests = await Promise.all([one, two].map(async (trial) => (await (await trial.open()).observe()).digest));
      expect(digests[0]).not.toBe(digests[1]);
    } finally {
      await one.end();
      await two.end();
    }
  });

  it("has no way to reload unless the registration names one", async () => {
    const trial = await startTrial("");
    try {
      expect((await trial.open()).reload).toBeUndefined();
      expect((await trial.open({ config: { reload: "app" } })).reload).toBeTypeOf("function");
    } finally {
      await trial.end();
    }
  });

  it("says which field is missing", async () => {
    const trial = await startTrial("");
    try {
      const delivery = { ...deliveryOf(1, "x"), value: { username: "orders", token: new Secret("t") } };
      await expect((await trial.open()).deliver(delivery)).rejects.toMatchObject({ code: "value_unfit" });
    } finally {
      await trial.end();
    }
  });
});
