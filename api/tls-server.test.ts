import { X509Certificate } from "node:crypto";
import { mkdtemp, rm, unlink } from "node:fs/promises";
import { Agent, request } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { makeCertificates, type Certificates } from "../test/harness/aws/authority.ts";
import { withApi, type TestApi } from "../test/harness/api.ts";
import { withLedger } from "../test/harness/ledger.ts";
import { replaceFile, withTlsFiles, type TestTls } from "../test/harness/tls-files.ts";
import { buildApi } from "./build-api.ts";
import { createTlsServer } from "./tls-server.ts";

const fingerprint = (pem: string) => new X509Certificate(pem).fingerprint256;

let folder: string;
let api: TestApi;
let files: TestTls;
let next: Certificates;
let app: Awaited<ReturnType<typeof buildApi>>;
let port: number;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rk-tls-"));
  api = await withApi(await withLedger());
});

afterAll(() => rm(folder, { recursive: true, force: true }));

beforeEach(async () => {
  files = await withTlsFiles(folder);
  next = makeCertificates();
  app = await buildApi({ ...api.deps, tls: files, names: ["rekey.internal"] });
  await app.listen({ host: "127.0.0.1", port: 0 });
  ({ port } = app.server.address() as AddressInfo);
});

afterEach(() => app.close());

/** The certificate that a new connection gets, whoever signed it. */
function shown(): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false }, () => {
    resolve(socket.getPeerCertificate().fingerprint256 ?? "");
    socket.end();
  });
  socket.on("error", reject);
  return promise;
}

/** Status of a list, asked over TLS and trusting one authority. */
function ask(ca: string, { host = "127.0.0.1", agent }: { host?: string; agent?: Agent } = {}): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const headers = { host, authorization: `Bearer ${api.token}` };
  const sent = request({
    port,
    host: "127.0.0.1",
    path: "/api/v1/tokens",
    headers,
    ca,
    servername: "localhost",
    ...(agent ? { agent } : {}),
  });
  sent.on("response", (response) => {
    response.resume().on("end", () => resolve(response.statusCode ?? 0));
  });
  sent.on("error", reject);
  sent.end();
  return promise;
}

const events = () => api.logged.map((line) => (JSON.parse(line) as { readonly event: string }).event);

describe("the API over TLS", () => {
  it("answers whoever trusts its authority, and nobody in clear", async () => {
    expect(await ask(files.ca)).toBe(200);
    await expect(ask(next.ca)).rejects.toMatchObject({ code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" });
    await expect(fetch(`http://127.0.0.1:${port}/api/v1/health`)).rejects.toThrow("fetch failed");
  });

  it("takes no version older than 1.2", async () => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const socket = connect({ host: "127.0.0.1", port, ca: files.ca, maxVersion: "TLSv1.1", minVersion: "TLSv1" });
    socket.on("error", resolve).on("secureConnect", () => resolve("connected"));
    expect(await promise).toBeInstanceOf(Error);
    socket.destroy();
  });

  it("is asked by its names, and by no other", async () => {
    expect(await ask(files.ca, { host: `rekey.internal:${port}` })).toBe(200);
    expect(await ask(files.ca, { host: "rekey.internal.evil.example" })).toBe(403);
  });

  it("shows the next connection a certificate that was replaced, and keeps those that are open", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    expect(await ask(files.ca, { agent })).toBe(200);
    expect(await shown()).toBe(fingerprint(files.cert));
    await replaceFile(files.certFile, next.cert);
    await replaceFile(files.keyFile, next.key);
    expect(await shown()).toBe(fingerprint(next.cert));
    expect(await ask(next.ca)).toBe(200);
    await expect(ask(files.ca)).rejects.toThrow();
    expect(await ask(files.ca, { agent })).toBe(200);
    agent.destroy();
    expect(events()).toContain("certificate.replaced");
  });

  it("keeps the former one while the files do not fit each other, or one is gone, and says so once", async () => {
    const kept = () => events().filter((event) => event === "certificate.kept").length;
    const before = kept();
    await replaceFile(files.certFile, next.cert);
    expect([await shown(), await shown()]).toEqual([fingerprint(files.cert), fingerprint(files.cert)]);
    expect(kept()).toBe(before + 1);
    await unlink(files.keyFile);
    expect(await shown()).toBe(fingerprint(files.cert));
    await replaceFile(files.keyFile, "no key");
    expect(await shown()).toBe(fingerprint(files.cert));
    await replaceFile(files.keyFile, next.key);
    expect(await shown()).toBe(fingerprint(next.cert));
    expect(api.logged.join("")).not.toContain("PRIVATE KEY");
  });

  it("does not begin with a key that is another certificate's, or with none", async () => {
    const log = { ...api.deps, log: api.deps.log, requestTimeout: 1_000 };
    await replaceFile(files.keyFile, next.key);
    const begin = (keyFile: string) => () => createTlsServer({ ...files, keyFile }, () => undefined, log);
    expect(begin(files.keyFile)).toThrow("do not belong together");
    expect(begin(join(folder, "none"))).toThrow("ENOENT");
  });
});
