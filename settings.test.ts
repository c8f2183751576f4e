import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeSettings, readSettings } from "./settings.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rk-settings-"));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function file(content: string): Promise<string> {
  const path = join(folder, randomBytes(6).toString("hex"));
  await writeFile(path, content, { mode: 0o600 });
  return path;
}

describe("settings", () => {
  it("need nothing, and then everything lies in the home folder", () => {
    const settings = readSettings({ REKEY_HOME: "/home/ops/rk" });
    expect(settings.databaseUrl).toBeUndefined();
    expect(settings.temporal.address).toBeUndefined();
    expect(settings.tokenFile).toBe("/home/ops/rk/token");
    expect(settings.keyFiles.custody).toBe("/home/ops/rk/keys/custody.json");
    expect(settings.fileRoots).toEqual([]);
  });

  it("count an empty variable as absent", () => {
    expect(readSettings({ DATABASE_URL: "", REKEY_PORT: "" })).toMatchObject({ databaseUrl: undefined, port: 7390 });
  });

  it("let the options of a command line stand above the environment", () => {
    expect(readSettings({ REKEY_PORT: "1000" }, { REKEY_PORT: "2000" }).port).toBe(2000);
  });

  it("read a secret from the file that its _FILE form names", async () => {
    const path = await file("postgres://rekey@db/rekey\n");
    expect(readSettings({ DATABASE_URL_FILE: path }).databaseUrl).toBe("postgres://rekey@db/rekey");
  });

  it("split roots at colons and ports at commas", () => {
    const settings = readSettings({ REKEY_FILE_ROOTS: "/srv/a:/srv/b", REKEY_EGRESS_LOCAL_PORTS: "80,8443" });
    expect(settings.fileRoots).toEqual(["/srv/a", "/srv/b"]);
    expect(settings.egressLocalPorts).toEqual([80, 8443]);
  });

  it("read the ways to reload by name", async () => {
    const entry = { signal: "SIGHUP", pidFile: "/run/app.pid" };
    const path = await file(JSON.stringify({ app: entry }));
    expect(readSettings({ REKEY_RELOADS_FILE: path }).reloads).toEqual({ app: entry });
  });

  it("read the programs that serve consumers by name, and know none without the file", async () => {
    const entry = {
      argv: ["/usr/local/bin/serve-target", "/srv/targets"],
      uid: 1200,
      path: "/usr/bin",
      timeoutMs: 10_000,
    };
    const path = await file(JSON.stringify({ targets: entry }));
    expect(readSettings({ REKEY_EXEC_CONSUMERS_FILE: path }).programs).toEqual({ targets: entry });
    expect(readSettings({}).programs).toEqual({});
  });

  it("use TLS for Temporal as soon as a key or certificate is given", () => {
    expect(readSettings({}).temporal.tls).toBe(false);
    expect(readSettings({ TEMPORAL_API_KEY_FILE: "/run/key" }).temporal.tls).toBe(true);
    expect(readSettings({ TEMPORAL_API_KEY_FILE: "/run/key", TEMPORAL_TLS: "false" }).temporal.tls).toBe(false);
  });

  it("leave the variables of the test suites alone", () => {
    expect(() => readSettings({ REKEY_TEST_POSTGRES: "x" })).not.toThrow();
  });
});

describe("a wrong setting is refused, by name and with what to write", () => {
  const refused: readonly (readonly [string, Record<string, string>, string])[] = [
    ["an unknown one, with the one that was meant", { REKEY_PROT: "1" }, "REKEY_PROT: did you mean REKEY_PORT?"],
    ["an unknown one without a likeness", { REKEY_QUUX_ZZZZ: "1" }, "REKEY_QUUX_ZZZZ: rekey has no such setting"],
    ["a port out of range", { REKEY_PORT: "70000" }, "REKEY_PORT"],
    ["a port that is a word", { REKEY_PORT: "http" }, "REKEY_PORT: must be a port number"],
    ["another database", { DATABASE_URL: "mysql://x" }, "DATABASE_URL: must begin with postgres://"],
    ["a Temporal address with a scheme", { TEMPORAL_ADDRESS: "https://t:7233" }, "TEMPORAL_ADDRESS: must look like"],
    ["a flag that is neither true nor false", { TEMPORAL_TLS: "yes" }, 'TEMPORAL_TLS: must be "true" or "false"'],
    ["a relative root", { REKEY_FILE_ROOTS: "/srv:data" }, "REKEY_FILE_ROOTS: must be absolute paths"],
    ["a port list with a word", { REKEY_EGRESS_LOCAL_PORTS: "80,x" }, "REKEY_EGRESS_LOCAL_PORTS: must be port numbers"],
    ["an unknown log level", { REKEY_LOG_LEVEL: "loud" }, "REKEY_LOG_LEVEL"],
    ["a certificate without its key", { TEMPORAL_TLS_CERT_FILE: "/c.pem" }, "TEMPORAL_TLS_KEY_FILE"],
    ["a file that is not there", { DATABASE_URL_FILE: "/nowhere/url" }, "DATABASE_URL_FILE: the file it names cannot"],
  ];
  it.each(refused)("%s", (_, environment, says) => {
    expect(() => readSettings(environment)).toThrow(says);
  });

  it("a secret given twice", async () => {
    const path = await file("postgres://a/b");
    expect(() => readSettings({ DATABASE_URL: "postgres://a/b", DATABASE_URL_FILE: path })).toThrow("given twice");
  });

  it.each(["{", '{"app": {"signal": "SIGKILL", "pidFile": "/p"}}', '{"app": {"argv": ["reload"], "timeoutMs": 1}}'])(
    "reloads such as %s",
    async (content) => {
      const path = await file(content);
      expect(() => readSettings({ REKEY_RELOADS_FILE: path })).toThrow("REKEY_RELOADS_FILE");
    },
  );

  it.each([
    "[",
    '{"x": {"argv": ["serve-target"], "timeoutMs": 1}}',
    '{"x": {"argv": ["/serve-target"]}}',
    '{"x": {"argv": ["/serve-target"], "uid": 0, "timeoutMs": 1}}',
    '{"x": {"argv": ["/serve-target"], "env": {"A": "b"}, "timeoutMs": 1}}',
  ])("programs such as %s", async (content) => {
    const path = await file(content);
    expect(() => readSettings({ REKEY_EXEC_CONSUMERS_FILE: path })).toThrow("REKEY_EXEC_CONSUMERS_FILE");
  });

  it("invariant 6: never with what was written there", () => {
    const secret = randomBytes(12).toString("hex");
    for (const name of ["DATABASE_URL", "REKEY_PORT", "TEMPORAL_ADDRESS", "REKEY_LOG_LEVEL", "REKEY_FILE_ROOTS"]) {
      let text = "";
      try {
        readSettings({ [name]: `x ${secret}` });
      } catch (error) {
        text = String(error);
      }
      expect(text).toContain(name);
      expect(text).not.toContain(secret);
    }
  });
});

describe("the page of settings", () => {
  it("names every variable once, each with a meaning and what happens without it", () => {
    const all = describeSettings();
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
    for (const { meaning, whenAbsent } of all) {
      expect(meaning).not.toBe("");
      expect(whenAbsent).not.toBe("");
    }
  });

  it("puts the file form of a secret before the direct one", () => {
    const names = describeSettings().map(({ name }) => name);
    expect(names.indexOf("DATABASE_URL_FILE")).toBe(names.indexOf("DATABASE_URL") - 1);
  });
});

describe("where the API listens", () => {
  const tls = { REKEY_TLS_CERT_FILE: "/etc/rekey/cert.pem", REKEY_TLS_KEY_FILE: "/etc/rekey/key.pem" };

  it("is loopback and REKEY_PORT, unless REKEY_LISTEN says another place", () => {
    expect(readSettings({ REKEY_PORT: "1" })).toMatchObject({ listen: { host: "127.0.0.1", port: 1 }, port: 1 });
    const elsewhere = readSettings({ ...tls, REKEY_LISTEN: "0.0.0.0:443", REKEY_NAMES: "Rekey.internal,rk.internal" });
    expect(elsewhere).toMatchObject({ listen: { host: "0.0.0.0", port: 443 }, port: 443 });
    expect(elsewhere.names).toEqual(["rekey.internal", "rk.internal"]);
  });

  it.each([
    ["beyond loopback without TLS", { REKEY_LISTEN: "10.0.0.1:443" }, "tokens would cross the network in clear"],
    ["on every address without names", { ...tls, REKEY_LISTEN: "[::]:443" }, "REKEY_NAMES"],
    ["with a certificate and no key", { REKEY_TLS_CERT_FILE: "/etc/rekey/cert.pem" }, "REKEY_TLS_KEY_FILE"],
    ["at what is no place", { ...tls, REKEY_LISTEN: "443" }, "must look like 0.0.0.0:7390"],
  ])("is refused %s", (_, given, text) => {
    expect(() => readSettings(given)).toThrow(text);
  });

  it("is not asked in clear from another machine", () => {
    expect(() => readSettings({ REKEY_ADDRESS: "http://rekey.internal:7390" })).toThrow("must begin with https://");
    expect(readSettings({ REKEY_ADDRESS: "https://rekey.internal/" }).address).toBe("https://rekey.internal");
    expect(readSettings({ REKEY_ADDRESS: "http://[::1]:7390" }).address).toBe("http://[::1]:7390");
  });
});
