import { afterAll, beforeAll, describe, test } from "vitest";
import { releases, startIssuerServer, type IssuerServer, type Release } from "../harness/postgres-issuer.ts";
import { describeIssuer } from "./issuer-suite.ts";
import { makePostgresWorld } from "./postgres/world.ts";

const leavesOut = { overlap: 6, "single-slot": 32 } as const;

function conform(release: Release): void {
  let server: IssuerServer;
  let twin: Promise<IssuerServer> | undefined;
  beforeAll(async () => {
    server = await startIssuerServer(release);
  });
  afterAll(async () => {
    await server.stop();
    await (await twin)?.stop();
  });
  for (const order of ["overlap", "single-slot"] as const)
    describeIssuer({
      name: `postgres-role, ${order}, on ${release.name}`,
      makeWorld: () => makePostgresWorld(server, order, () => (twin ??= startIssuerServer(release))),
      leavesOut: leavesOut[order],
    });
}

for (const release of releases)
  describe(release.name, () => {
    const { missing } = release;
    if (missing === undefined) conform(release);
    else
      test("conforms", (context) => {
        if (process.env["REKEY_TEST_REQUIRE"] === "all") throw new Error(missing);
        context.skip(missing);
      });
  });
