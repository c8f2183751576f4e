import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { releases, startIssuerServer, type IssuerServer, type Release } from "../harness/postgres-issuer.ts";
import { isVerdict } from "./failing.ts";
import { judge } from "./applicability.ts";
import { describeIssuer, issuerClauses } from "./issuer-suite.ts";
import { whereOneLives, whereRekeyChooses, whereSessionsShow, whereTwoLive, type IssuerLeavesOut } from "./left-out.ts";
import { keptOpen } from "./postgres/kept-open.ts";
import { makePostgresWorld } from "./postgres/world.ts";
import { wrongPostgres } from "./postgres/wrong.ts";
import { needs } from "../harness/needs.ts";

const leavesOut: Readonly<Record<"overlap" | "single-slot", IssuerLeavesOut>> = {
  overlap: {
    ...whereTwoLive,
    ...whereSessionsShow,
    "rekey chooses the value": whereRekeyChooses,
    "lockOut: PostgreSQL locks nobody out": ["lockOut refuses the right value", "7.5 a lockout is unknown"],
  },
  "single-slot": {
    ...whereSessionsShow,
    "rekey chooses the value": whereRekeyChooses,
    "one version lives at a time": whereOneLives,
    "the issuer cannot disable": [
      "5 a late disable does not undo a later enable",
      "5 a late disable of version 1 does not hit version 3",
      "5 disabling refuses, enabling brings the same value back",
      "5 enabling without the value brings back what was there",
    ],
    "changeSecretByHand: a single login is not disabled": [
      "changeSecretByHand makes our value wrong",
      "5 enabling sets our value again",
    ],
    "lockOut: PostgreSQL locks nobody out": ["lockOut refuses the right value", "7.5 a lockout is unknown"],
  },
};

function conform(release: Release): void {
  let server: IssuerServer;
  let twin: Promise<IssuerServer> | undefined;
  beforeAll(async () => {
    server = await keptOpen(await startIssuerServer(release));
  });
  afterAll(async () => {
    await server.stop();
    await (await twin)?.stop();
  });
  const makeTwin = () => (twin ??= startIssuerServer(release));
  for (const order of ["overlap", "single-slot"] as const)
    describeIssuer({
      name: `postgres-role, ${order}, on ${release.name}`,
      makeWorld: () => makePostgresWorld(server, order, makeTwin),
      leavesOut: leavesOut[order],
    });
  for (const { name, caughtBy, twist } of wrongPostgres)
    test(`a postgres-role that is wrong by "${name}" is caught by "${caughtBy}"`, async () => {
      const judged = await judge(() => makePostgresWorld(server, "overlap", makeTwin, twist), issuerClauses[caughtBy]);
      expect(judged.verdict === "broken" && isVerdict(judged.error)).toBe(true);
    });
}

for (const release of releases)
  describe(release.name, () => {
    const { missing } = release;
    if (missing === undefined) conform(release);
    else
      test("conforms", (context) => {
        needs(context, false, missing);
      });
  });
