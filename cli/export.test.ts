import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { adopted } from "../test/harness/api-rows.ts";
import { withApi, type TestApi } from "../test/harness/api.ts";
import { withCli, type CliPlace } from "../test/harness/cli.ts";
import { withLedger } from "../test/harness/ledger.ts";

let api: TestApi;
let cli: CliPlace;

beforeAll(async () => {
  api = await withApi(await withLedger());
  cli = await withCli(api);
});

afterAll(() => api.app.close());

describe("rekey export and rekey schema", () => {
  it("print files that are whole: nothing yet, then everything, which changes nothing when it is applied", async () => {
    expect(await cli.run(["export"])).toMatchObject({ code: 0, out: "# Nothing is registered.\n" });
    const ref = await adopted(api);
    const { out: input } = await cli.run(["export"]);
    const again = await cli.run(["apply", "-f", "-", "--dry-run", "--exit-code"], { input });
    expect(again).toMatchObject({ code: 0, out: expect.stringContaining(`= Credential ${ref} unchanged`) });
    expect((await cli.run(["export", "credentials", ref])).out).toMatch(/^apiVersion: rekey\/v1\nkind: Credential\n/);
    const json = JSON.parse((await cli.run(["export", "--json"])).out) as { manifests: unknown[] };
    expect(json.manifests).toHaveLength(5);
    const schema = JSON.parse((await cli.run(["schema"])).out) as unknown;
    expect(schema).toMatchObject({ title: "A manifest of rekey" });
  });

  it("say which kind and which name was meant", async () => {
    const kind = await cli.run(["export", "credental"]);
    expect(kind).toMatchObject({ code: 2, err: expect.stringContaining("Did you mean credential?") });
    const ref = await adopted(api, "invoices");
    const name = await cli.run(["export", "credential", ref.replace("invoices", "invoics")]);
    expect(name).toMatchObject({ code: 1, err: expect.stringContaining(`Did you mean ${ref}?`) });
  });
});
