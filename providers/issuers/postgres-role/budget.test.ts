import { expect, test } from "vitest";
import { makePair, onEachRelease } from "../../../test/harness/postgres-issuer.ts";
import { openRole, valueOf, wrongOf } from "../../../test/harness/postgres-role.ts";

onEachRelease((get) => {
  async function opened(spend: () => Promise<void>) {
    const server = get();
    const { owner, logins, admin, password } = await makePair(server);
    const [a] = logins;
    const session = await openRole(server, admin, { owner, logins, database: "orders" }, { spend });
    const first = { handle: `${a}/1`, value: valueOf(server, a, password) };
    return { session, first };
  }

  test("each login spends one request of the connection's budget", async () => {
    let spent = 0;
    const { session, first } = await opened(async () => void (spent += 1));
    await session.identify();
    expect(spent).toBe(1);
    // The version's own, and the wrong password beside it; the connection's login goes on.
    expect(await session.probe(first)).toMatchObject({ verdict: "accepted" });
    expect(spent).toBe(3);
    await session.close();
  });

  test("nobody logs in whom the budget does not let go, and that is no answer about a version", async () => {
    let mayGo = true;
    const { session, first } = await opened(async () => {
      if (!mayGo) throw new Error("no request is left");
    });
    await session.identify();
    mayGo = false;
    await expect(session.probe({ ...first, value: wrongOf(first.value) })).rejects.toThrow("no request is left");
    await session.close();
  });
});
