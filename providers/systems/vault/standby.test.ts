import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { contextFor } from "../../../test/harness/aws-settings.ts";
import { hasVault, noVault } from "../../../test/harness/vault.ts";
import { startVaultPair, type VaultPair } from "../../../test/harness/vault-standby.ts";
import { needs } from "../../../test/harness/needs.ts";
import type { Egress } from "../../contract/egress.ts";
import { Secret } from "../../contract/secret.ts";
import { sides } from "./side.ts";
import { openVault } from "./vault.ts";

let pair: VaultPair | undefined;
beforeAll(async () => {
  if (hasVault) pair = await startVaultPair();
}, 120_000);
afterAll(async () => pair?.stop());

const { signal } = new AbortController();

/** Asks the standby, as a connection does whose address leads there. */
async function place({ active, standby }: VaultPair, headers: Readonly<Record<string, string>> = {}) {
  const mount = await active.mountKv();
  const text = randomBytes(12).toString("hex");
  await active.must("POST", `${mount}/data/orders`, { data: { text } });
  const path = `${mount}/data/orders`;
  const token = await active.tokenWith(`path "${path}" { capabilities = ["read"] }`);
  const { fetch } = contextFor([standby.address]);
  const asking: Egress = Object.assign(
    async (request: Parameters<Egress>[0], callersSignal: AbortSignal) =>
      fetch({ ...request, headers: { ...request.headers, ...headers } }, callersSignal),
    { resolve: fetch.resolve },
  );
  const secret = async () => Promise.resolve(new Secret(token));
  const { address, ca } = standby;
  const vault = openVault({ settings: { address, ca }, secret, fetch: asking, side: sides.target });
  return { text, read: async () => vault.ask({ path, right: { path, capabilities: ["read"] } }, signal) };
}

const standsBy = { name: "TransientError", code: "system_standby", detail: expect.stringContaining("active node") };

test("a standby that forwards answers as the active one does", async (context) => {
  needs(context, pair !== undefined, noVault);
  const { text, read } = await place(pair);
  expect(JSON.stringify(await read())).toContain(text);
});

test("a standby that redirects is named, with what to do", async (context) => {
  needs(context, pair !== undefined, noVault);
  // https://developer.hashicorp.com/vault/docs/concepts/ha#request-forwarding
  const { read } = await place(pair, { "x-vault-no-request-forwarding": "true" });
  await expect(read()).rejects.toMatchObject(standsBy);
});

test("a standby whose active one is gone is named, with what to do", async (context) => {
  needs(context, pair !== undefined, noVault);
  const { read } = await place(pair);
  await pair.active.stop();
  // It goes on asking the active one until it has seen that it is gone.
  for (let tries = 0; ; tries++) {
    const error = await read().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error instanceof Error && "code" in error && error.code === "system_standby") {
      expect(error).toMatchObject(standsBy);
      return;
    }
    if (tries === 100) throw new Error("The standby was not named.", { cause: error });
    await sleep(100);
  }
});
