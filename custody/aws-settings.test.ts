import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { awsCustodySettings } from "./aws-settings.ts";

/** The entry as the page prints it, without its kind. */
async function onPage(): Promise<Readonly<Record<string, unknown>>> {
  const page = await readFile(new URL("../docs/aws.md", import.meta.url), "utf8");
  const [, json = ""] = /REKEY_CUSTODIES_FILE[^]*?```json\n([^`]+)```/.exec(page) ?? [];
  const { "main-aws": entry } = JSON.parse(json) as { readonly "main-aws": Readonly<Record<string, unknown>> };
  const { kind, ...settings } = entry;
  expect(kind).toBe("aws");
  return settings;
}

it("the entry on the page is taken as it stands", async () => {
  expect(awsCustodySettings.parse(await onPage())).toEqual(await onPage());
});

it("values lie below rekey/ unless said otherwise", async () => {
  const { prefix: _, ...settings } = await onPage();
  expect(awsCustodySettings.parse(settings).prefix).toBe("rekey");
});

it("what would lead elsewhere, or lies in the settings itself, is refused", async () => {
  const settings = await onPage();
  const wrong = [
    { secretFile: "key" },
    { secretAccessKey: "in the settings" },
    ...["", "/", "rekey/", "/rekey", "rekey//x", "re key", "rekey/*", "x".repeat(129)].map((prefix) => ({ prefix })),
  ];
  for (const part of wrong) expect(awsCustodySettings.safeParse({ ...settings, ...part }).success).toBe(false);
});
