import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readComment, writeComment } from "../../providers/issuers/postgres-role/mark.ts";
import { say } from "../harness/say.ts";
import { openStepBench, type StepBench } from "../harness/step-bench.ts";
import { readRotation } from "../harness/world.ts";

describe("a login that carries a later claim than any that the ledger has given", () => {
  let bench: StepBench;

  beforeAll(async () => {
    bench = await openStepBench();
  });

  afterAll(async () => bench?.close());

  const commentOf = async (login: string): Promise<string> => {
    const [row] = await bench.issuer.ask(
      `SELECT shobj_description(oid, 'pg_authid') AS comment FROM pg_authid WHERE rolname = '${login}'`,
    );
    return typeof row?.["comment"] === "string" ? row["comment"] : "";
  };

  const comment = async (login: string, text: string) =>
    bench.issuer.ask(`COMMENT ON ROLE ${pg.escapeIdentifier(login)} IS ${pg.escapeLiteral(text)}`);

  /** As another installation leaves it, or a ledger that was put back since. What the comment was. */
  async function claimLater(login: string): Promise<string> {
    const text = await commentOf(login);
    const found = readComment(text);
    if (found.mark === undefined || found.mark === "unreadable") throw new Error(`${login} carries no mark`);
    const { claim } = found.mark;
    await comment(login, writeComment(found, { ...found.mark, claim: { ...claim, number: claim.number + 1_000_000 } }));
    return text;
  }

  it.each([
    { does: "a step forward", login: 0, phase: "promoted", aborts: false, outcome: "proven" },
    { does: "an undo", login: 1, phase: "promoted", aborts: true, outcome: "undone" },
  ] as const)("invariant 9: refuses $does so often, then a person is asked", async (given) => {
    const orders = await bench.register({ policy: { attempts: 3, retryFirstMs: 10, retryLongestMs: 10 } });
    const rotationId = await orders.rotate();
    await bench.reach(rotationId, given.phase);
    // The first login gets its mark from the first effect on it.
    if (!given.aborts) await bench.reach(rotationId, "disabled");
    const login = orders.logins[given.login] ?? "";
    const before = await claimLater(login);
    if (given.aborts) await say(bench, rotationId, { kind: "abort" });
    await bench.carry(rotationId);
    expect(await readRotation(bench, rotationId)).toMatchObject({ outcome: null, hold: { code: "claim_outdated" } });
    await comment(login, before);
    await bench.answer(rotationId, "retry");
    await bench.carry(rotationId);
    expect(await readRotation(bench, rotationId)).toMatchObject({ outcome: given.outcome });
    expect((await orders.shop.close()).failures).toEqual([]);
  });
});
