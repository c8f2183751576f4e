import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { newFolder, rekey, start } from "../test/harness/cli.ts";
import { withDatabase } from "../test/harness/ledger.ts";
import { withTlsFiles, type TestTls } from "../test/harness/tls-files.ts";

let home: string;
let tls: TestTls;
let other: TestTls;
let env: Readonly<Record<string, string>>;

beforeAll(async () => {
  home = await newFolder();
  const [own, foreign] = [join(home, "own"), join(home, "foreign")];
  await mkdir(own);
  await mkdir(foreign);
  [tls, other] = [await withTlsFiles(own), await withTlsFiles(foreign)];
  env = {
    DATABASE_URL: await withDatabase(),
    REKEY_HOME: home,
    REKEY_TLS_CERT_FILE: tls.certFile,
    REKEY_TLS_KEY_FILE: tls.keyFile,
  };
  await rekey(["migrate"], { env });
});

describe("rekey serve --listen", () => {
  it("answers over TLS the command line that trusts its authority, and no other", async () => {
    const serving = start(["serve", "--listen", "127.0.0.1:0"], { env });
    const address = (await serving.line("The API answers at")).match(/https:\S+\d/)?.[0] ?? "";
    expect(address).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    const list = async (more: Readonly<Record<string, string>>) =>
      rekey(["token", "list"], { env: { REKEY_HOME: home, REKEY_ADDRESS: address, ...more } });
    expect((await list({ REKEY_CA_FILE: tls.caFile })).out).toContain("the token file of serve");
    for (const more of [{}, { REKEY_CA_FILE: other.caFile }]) {
      const { code, err } = await list(more);
      expect(code).toBe(1);
      expect(err).toMatch(/is not trusted \([A-Z_]+\)\.\n +Next: .*REKEY_CA_FILE/);
    }
    const { code, err } = await list({ REKEY_CA_FILE: join(home, "none.pem") });
    expect([code, err]).toEqual([2, expect.stringContaining("none.pem has no certificates")]);
    serving.process.kill("SIGTERM");
    expect((await serving.ended).code).toBe(0);
  });

  it("refuses another address than loopback without TLS, and says why", async () => {
    const clear = { ...env, REKEY_TLS_CERT_FILE: "", REKEY_TLS_KEY_FILE: "" };
    const { code, err } = await rekey(["serve", "--listen", "0.0.0.0:0"], { env: clear });
    expect([code, err]).toEqual([2, expect.stringContaining("another address than loopback needs TLS")]);
  });

  it("does not begin with a key that belongs to another certificate", async () => {
    const mixed = { ...env, REKEY_TLS_KEY_FILE: other.keyFile };
    const { code, err } = await rekey(["serve", "--listen", "127.0.0.1:0"], { env: mixed });
    expect([code, err]).toEqual([2, expect.stringContaining("do not belong together")]);
  });
});
