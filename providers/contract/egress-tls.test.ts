import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { EgressRequest } from "./egress.ts";
import { createEgress } from "./egress-client.ts";
import { Secret } from "./secret.ts";
import { needs } from "../../test/harness/needs.ts";

const program = "openssl";
const hasOpenssl = spawnSync(program, ["version"]).status === 0;
const never = new AbortController().signal;

describe("over TLS", () => {
  const folder = mkdtempSync(join(tmpdir(), "rekey-egress-"));
  let server: Server | undefined;
  let port = 0;
  let ca = "";
  const requests: { name: string | false | null; body: string }[] = [];
  const authorizations: (string | undefined)[] = [];

  beforeAll(async () => {
    if (!hasOpenssl) return;
    const files = makeCertificates(folder);
    ca = files.ca;
    const made = createServer({ key: files.key, cert: files.certificate }, (request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => {
        authorizations.push(request.headers.authorization);
        requests.push({ name: (request.socket as TLSSocket).servername, body });
        response.end('"here"');
      });
    });
    server = made;
    await new Promise<void>((resolve) => made.listen(0, "127.0.0.1", resolve));
    port = (made.address() as AddressInfo).port;
  });

  beforeEach((context) => {
    needs(context, hasOpenssl, "there is no openssl to make certificates");
  });

  afterEach(() => {
    requests.length = 0;
    vi.unstubAllEnvs();
  });

  afterAll(() => {
    server?.closeAllConnections();
    server?.close();
    rmSync(folder, { recursive: true });
  });

  async function ask(host: string, trusted: readonly string[], more: Partial<EgressRequest> = {}) {
    const reasons: unknown[] = [];
    const egress = createEgress({
      allowedLocalPorts: [port],
      ownPorts: [],
      ca: trusted,
      resolve: async () => [],
      log: (_event, fields) => reasons.push(fields?.["reason"]),
    });
    const answer = await egress(
      { url: `https://${host}:${port}/`, address: "127.0.0.1", json: { n: 1 }, ...more },
      never,
    );
    return { answer, reasons };
  }

  test("the name of the URL is asked for and verified, whatever address is connected to", async () => {
    const { answer } = await ask("app.internal", [ca]);
    expect(answer).toEqual({ outcome: "reached", status: 200, body: "here" });
    expect(requests).toEqual([{ name: "app.internal", body: '{"n":1}' }]);
  });

  test("a certificate for another name is refused before anything is sent", async () => {
    expect(await ask("other.internal", [ca])).toEqual({
      answer: { outcome: "refused" },
      reasons: ["ERR_TLS_CERT_ALTNAME_INVALID"],
    });
    expect(requests).toEqual([]);
  });

  test("a token is sent to a server that the authority of the call vouches for, and to no other", async () => {
    const text = randomBytes(12).toString("hex");
    const token = new Secret(text);
    const answer = { outcome: "reached", status: 200, body: "here" };
    expect((await ask("app.internal", [], { token, ca })).answer).toEqual(answer);
    expect(authorizations.at(-1)).toBe(`Bearer ${text}`);
    const other = makeCertificates(mkdtempSync(join(folder, "other-"))).ca;
    const before = requests.length;
    // What the settings trust does not count where the call names its own.
    expect((await ask("app.internal", [ca], { token, ca: other })).answer).toEqual({ outcome: "refused" });
    expect((await ask("app.internal", [ca], { token, ca: "no PEM" })).answer).toEqual({ outcome: "refused" });
    expect(requests).toHaveLength(before);
  });

  test("an address in the URL is verified as that address, not as the one connected to", async () => {
    expect((await ask("127.0.0.1", [ca])).answer.body).toBe("here");
    expect((await ask("127.0.0.9", [ca])).reasons).toEqual(["ERR_TLS_CERT_ALTNAME_INVALID"]);
  });

  test("an unknown authority is refused before anything is sent, whatever the environment says", async () => {
    const refused = { answer: { outcome: "refused" }, reasons: ["UNABLE_TO_VERIFY_LEAF_SIGNATURE"] };
    expect(await ask("app.internal", [])).toEqual(refused);
    vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
    expect(await ask("app.internal", [])).toEqual(refused);
    expect(requests).toEqual([]);
  });
});

/** An authority and a certificate of it for `app.internal` and 127.0.0.1, both made for this run. */
function makeCertificates(folder: string): { ca: string; key: string; certificate: string } {
  const path = (name: string) => join(folder, name);
  const openssl = (line: string, ...rest: string[]) =>
    execFileSync(program, [...line.split(" "), ...rest], { cwd: folder, stdio: "ignore" });
  const curve = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
  writeFileSync(path("san.ext"), "subjectAltName=DNS:app.internal,IP:127.0.0.1\n");
  openssl(`req -x509 ${curve} -keyout ca.key -out ca.crt -days 2 -subj /CN=authority`);
  openssl(`req ${curve} -keyout leaf.key -out leaf.csr -subj /CN=leaf`);
  openssl("x509 -req -in leaf.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -out leaf.crt -extfile san.ext");
  const read = (name: string) => readFileSync(path(name), "utf8");
  return { ca: read("ca.crt"), key: read("leaf.key"), certificate: read("leaf.crt") };
}
