import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { readSecrets } from "../cli/secret-from.ts";
import { catalog } from "../providers/catalog.ts";
import { withApi } from "../test/harness/api.ts";
import { applyText } from "../test/harness/apply-text.ts";
import { withLedger } from "../test/harness/ledger.ts";
import { exportManifests } from "./export.ts";

const folder = new URL("../examples/manifests/", import.meta.url);
const names = readdirSync(folder).toSorted((a, b) => Number(b === "orders.yaml") - Number(a === "orders.yaml"));

/** Fit for whatever asks for one. */
const newSecret = (name: string) =>
  `${name === "notices.yaml" ? "https://hooks.example.com/" : ""}${randomBytes(24).toString("hex")}`;

it("the examples are applied as they stand, shown, and exported as what they were", async () => {
  const api = await withApi(await withLedger(), catalog);
  for (const name of names) {
    const given = readFileSync(new URL(name, folder), "utf8").replace(
      /secretFrom: \{.*\}/g,
      "secretFrom: { stdin: true }",
    );
    const { text, secrets } = await readSecrets(name, given, () => Promise.resolve(newSecret(name)));
    const items = await applyText(api, text, secrets as Record<string, string>);
    expect(items.map(({ action }) => action)).toEqual(items.map(() => "create"));
    expect((await applyText(api, text, secrets as Record<string, string>)).map(({ action }) => action)).toEqual(
      items.map(() => "unchanged"),
    );
  }
  // What the command line prints for it is taken: the check that it asks for is the worker's.
  for (const name of ["shop/orders", "shop/uploads", "shop/orders-login"]) {
    const path = `/credentials/${encodeURIComponent(name)}`;
    const { kind, principals } = (await api.ask("GET", path)).json as { kind: string; principals: readonly string[] };
    const { adoptedFields = [], authenticator } = catalog.issuers[kind] ?? {};
    const fields = Object.fromEntries(
      adoptedFields
        .filter((field) => field !== authenticator)
        .map((field) => [field, field === "username" ? (principals.at(-1) ?? "") : `AKIA${"2".repeat(16)}`]),
    );
    const secret = randomBytes(20).toString("hex");
    const { status, text: said } = await api.ask("POST", `${path}/adopt`, { secret, fields });
    expect([name, status, said]).toEqual([name, 200, expect.stringContaining("checkId")]);
  }
  const text = (await exportManifests(api.deps)).map((one) => one.text).join("---\n");
  expect(new Set((await applyText(api, text)).map(({ action }) => action))).toEqual(new Set(["unchanged"]));
  expect(text).toContain("policy: shop/careful");
  expect((await api.ask("GET", "/credentials/shop%2Forders")).json).toMatchObject({
    policyRef: "shop/careful",
    inventory: { owner: "shop", criticality: "high", expiresAt: "2027-12-31" },
    labels: { tier: "gold", app: "orders" },
  });
  await api.app.close();
});
