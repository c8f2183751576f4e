import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { readSecrets } from "../../cli/secret-from.ts";
import { catalog } from "../../providers/catalog.ts";
import { withApi, type TestApi } from "../harness/api.ts";
import { withLedger } from "../harness/ledger.ts";
import { files, folder, manifests, ofKind } from "./company.ts";

/** Where the secret goes, what the worker's settings have to name, what rules it, and that it is to be adopted. */
const usual = /^Its secret goes|REKEY_(FILE_ROOTS|EXEC_CONSUMERS_FILE)|^Ruled by policy|^Then give it the value/;

let api: TestApi;

beforeAll(async () => {
  api = await withApi(await withLedger(), catalog);
});

interface Item {
  readonly action: string;
  readonly notes: readonly string[];
}

/** As the command line does it with a folder: the whole company is one plan. */
async function apply(secret: string): Promise<readonly Item[]> {
  const given = files.map(({ name, text }) =>
    readSecrets(name, text.replaceAll(/secretFrom: \{.*\}/g, "secretFrom: { stdin: true }"), () =>
      Promise.resolve(secret),
    ),
  );
  const body = { files: await Promise.all(given) };
  const planned = await api.ask("POST", "/manifests/apply", body);
  expect([planned.status, planned.text]).toEqual([200, expect.any(String)]);
  const applied = await api.ask("POST", "/manifests/apply", { ...body, planDigest: planned.json["digest"] });
  expect([applied.status, applied.text]).toEqual([200, expect.any(String)]);
  return planned.json["items"] as readonly Item[];
}

const policyOf = async (name: string) =>
  (await api.ask("GET", `/credentials/${encodeURIComponent(name)}/policy`)).json as unknown as {
    readonly fields: readonly { readonly field: string; readonly value: unknown; readonly from: string }[];
    readonly trouble: string | null;
  };

const fieldOf = async (name: string, field: string) => (await policyOf(name)).fields.find((one) => one.field === field);

describe("the example company", () => {
  it("has 3 teams, 2 environments and 40 credentials in both orders, each with somebody who runs on it", () => {
    expect(ofKind("Team")).toHaveLength(3);
    expect(ofKind("Environment")).toHaveLength(2);
    const credentials = ofKind("Credential");
    expect(credentials).toHaveLength(40);
    const pairs = credentials.filter(({ spec }) => "logins" in spec.config).length;
    const single = credentials.filter(({ spec }) => "login" in spec.config).length;
    expect([pairs, single]).toEqual([33, 7]);
    const served = ofKind("Consumer").map(({ metadata, spec }) =>
      spec.credential.includes("/") ? spec.credential : `${metadata.team}/${spec.credential}`,
    );
    expect([...new Set(served)].toSorted()).toEqual(
      credentials.map(({ metadata }) => `${metadata.team}/${metadata.name}`).toSorted(),
    );
    expect(new Set(ofKind("Consumer").map(({ spec }) => spec.kind))).toEqual(new Set(["file", "exec"]));
  });

  it("is taken as it stands, with the notes that every such manifest has, and a second time changes nothing", async () => {
    const secret = randomBytes(12).toString("hex");
    const items = await apply(secret);
    expect(items).toHaveLength(manifests.length);
    expect(items.map(({ action }) => action)).toEqual(items.map(() => "create"));
    const notes = items.flatMap((item) => item.notes);
    expect(notes.filter((note) => !usual.test(note))).toEqual([]);
    const again = await apply(secret);
    expect(new Set(again.map(({ action }) => action))).toEqual(new Set(["unchanged"]));
  });

  it("has no policy that can never run", async () => {
    for (const { metadata } of ofKind("Credential")) {
      const ref = `${metadata.team}/${metadata.name}`;
      expect([ref, (await policyOf(ref)).trouble]).toEqual([ref, null]);
    }
  });

  it("has values from everywhere that may say one, the narrowest first", async () => {
    expect(await fieldOf("payments/ledger-staging", "grace")).toMatchObject({
      value: "15m",
      from: "policy payments/card-data, by graceMin",
    });
    expect(await fieldOf("payments/ledger-staging", "holdAfter")).toMatchObject({ from: "environment staging" });
    expect(await fieldOf("platform/grafana", "windows")).toMatchObject({ value: "always", from: "team platform" });
    expect(await fieldOf("orders/cart-staging", "schedule")).toMatchObject({
      value: { every: "7d" },
      from: "credential orders/cart-staging",
    });
    expect(await fieldOf("orders/cart-staging", "attempts")).toMatchObject({ from: "default" });
  });
});

it("has a page with what the commands print, each block where its command stands", () => {
  const page = readFileSync(new URL("../README.md", folder), "utf8");
  const blocks = [
    ...page.matchAll(/<!-- ([a-z- ]+) -->\n\n```\n\$ (rekey [^\n]+)\n([\s\S]+?)```\n\n<!-- end of \1 -->/g),
  ];
  expect(blocks.map(([, , command]) => command)).toEqual([
    "rekey status",
    "rekey calendar",
    "rekey calendar --team payments --environment production --days 30",
    "rekey policy explain payments/ledger-staging",
    "rekey policy explain payments/checkout",
  ]);
  const tooWide = page
    .split("```")
    .filter((_, at) => at % 2 === 1)
    .flatMap((block) => block.split("\n").filter((line) => line.length > 100));
  expect(tooWide).toEqual([]);
});
