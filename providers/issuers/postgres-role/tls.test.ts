import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, chown, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startPostgres, type RunningPostgres } from "../../../embedded/postgres.ts";
import { unprivilegedAccount } from "../../../embedded/unprivileged.ts";
import { openRole } from "../../../test/harness/postgres-role.ts";
import { needs } from "../../../test/harness/needs.ts";

const run = promisify(execFile);
const password = randomBytes(16).toString("hex");
const admin = { user: "keeper", password };
let folder: string;
let server: RunningPostgres | undefined;
let missing: string | undefined;
let ca: string;

async function makeCertificate(): Promise<{ certificate: string; key: string }> {
  const [certificate, key] = [join(folder, "server.crt"), join(folder, "server.key")];
  const subject = ["-subj", "/CN=db.internal", "-addext", "subjectAltName=DNS:db.internal"];
  await run("openssl", [
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-days",
    "2",
    ...subject,
    "-keyout",
    key,
    "-out",
    certificate,
  ]);
  const account = unprivilegedAccount();
  if (account !== undefined) for (const file of [folder, certificate, key]) await chown(file, account.uid, account.gid);
  await chmod(key, 0o600);
  return { certificate, key };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rk-"));
  const made = await makeCertificate().catch(() => undefined);
  if (made === undefined) {
    missing = "openssl is not to be had here, so that no certificate can be made";
    return;
  }
  ca = await readFile(made.certificate, "utf8");
  server = await startPostgres({
    folder: join(folder, "pg"),
    port: 0,
    superuser: admin.user,
    password,
    settings: { ssl: "on", ssl_cert_file: made.certificate, ssl_key_file: made.key },
    hba: ["hostssl all all 127.0.0.1/32 scram-sha-256", "local all all scram-sha-256"],
  });
});
afterAll(async () => {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

const open = (tls: object) =>
  openRole(
    { host: "127.0.0.1", port: server?.port ?? 0 },
    admin,
    { login: "orders", database: "postgres" },
    { connection: { tls } },
  );

test("chain and host name of the server are checked, and the exception is one that is recorded", async (context) => {
  needs(context, missing === undefined, missing ?? "");
  const good = await open({ mode: "verify", ca, serverName: "db.internal" });
  expect(await good.identify()).toMatch(/^postgresql:\d+$/);
  const exception = await open({ mode: "verify", unverified: true });
  expect(await exception.identify()).toBe(await good.identify());
  const refused = { name: "OperatorNeededError", code: "transport_unverified" };
  for (const tls of [
    { mode: "verify" },
    { mode: "verify", ca },
    { mode: "verify", ca, serverName: "other.internal" },
  ]) {
    const session = await open(tls);
    await expect(session.identify(), JSON.stringify(Object.keys(tls))).rejects.toMatchObject(refused);
    await session.close();
  }
  const plain = await open({ mode: "off" });
  await expect(plain.identify(), "the server wants TLS").rejects.toMatchObject({ code: "issuer_auth_failed" });
  await Promise.all([good, exception, plain].map((session) => session.close()));
});
