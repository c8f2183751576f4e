import { afterAll, beforeAll, expect, it } from "vitest";
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

it("rekey delete says what it means and deletes nothing without a terminal unless told so", async () => {
  const ref = await adopted(api);
  const asked = await cli.run(["delete", "credential", ref]);
  expect(asked).toMatchObject({ code: 2, err: expect.stringContaining("Add --yes") });
  expect(asked.out).toContain(`- Credential ${ref} delete`);
  expect(asked.out).toContain("Version 1 goes on working at its issuer");
  expect((await cli.run(["credential", "list"])).out).toContain(ref);
  const done = await cli.run(["delete", "credential", ref, "--yes"]);
  expect(done).toMatchObject({ code: 0, out: expect.stringContaining("Deleted.") });
  expect((await cli.run(["credential", "list"])).out).not.toContain(ref);
  expect(await cli.run(["delete", "credential", ref, "--yes"])).toMatchObject({
    code: 1,
    err: expect.stringContaining("There is no such credential."),
  });
});

it("rekey delete tells each reason why it may not be, with what to do", async () => {
  const ref = await adopted(api);
  const team = ref.split("/")[0] ?? "";
  const { code, err } = await cli.run(["delete", "team", team, "--yes"]);
  expect(code).toBe(1);
  expect(err).toContain("It cannot be deleted as it is");
  expect(err).toContain(`Credential ${ref}`);
});
