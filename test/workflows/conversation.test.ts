import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { catalog } from "../../providers/catalog.ts";
import { withApi, type TestApi } from "../harness/api.ts";
import { withCli, type CliPlace } from "../harness/cli.ts";
import { needs } from "../harness/needs.ts";
import { register } from "../harness/registered.ts";
import { hasTemporal } from "../harness/temporal-program.ts";
import { atTerminal, hasTerminal } from "../harness/terminal.ts";
import { openWorld, readRotation, type World } from "../harness/world.ts";

describe.runIf(hasTemporal)("a hold that is answered at the terminal of who watches", () => {
  let world: World;
  let api: TestApi;
  let cli: CliPlace;

  beforeAll(async () => {
    world = await openWorld();
    api = await withApi(world, catalog);
    cli = await withCli(api);
    await world.startWorker();
  });

  afterAll(async () => {
    await api?.app.close();
    await world?.close();
  });

  it("invariant 4: is shown whole, accepted by its gaps with a reason, and the rotation goes on to its end", async (context) => {
    needs(context, hasTerminal, "no script(1) of util-linux");
    const orders = await register(world, { policy: { holdAfterMs: 400 } });
    const [login = ""] = orders.logins;
    const { database } = orders;
    const forgotten = await world.issuer.openSession(login, orders.password, { database, name: "night-report" });
    const rotationId = await orders.rotate();
    const terminal = atTerminal(["rotation", "watch", rotationId], cli.env);
    await terminal.until("HOLD 1");
    await terminal.until("Whom to ask");
    await terminal.until("Type one of retry, roll-back, accept, wait, pause, abort, leave: ");
    // Enter alone chooses nothing.
    terminal.type("");
    await terminal.until("leave: ");
    terminal.type("accept");
    const told = await terminal.until("all of them (1");
    const gaps = /\((\d[\d,]*)\)/.exec(told.slice(told.lastIndexOf("all of them")))?.[1] ?? "1";
    terminal.type(gaps);
    await terminal.until("Why, in your words");
    terminal.type("the night report may break");
    await terminal.until("Given: accept");
    const { code, shown } = await terminal.ended;
    expect([code, shown]).toEqual([0, expect.stringContaining("Closed as proven")]);
    expect(await readRotation(world, rotationId)).toMatchObject({ outcome: "proven" });
    const { rows } = await sql<{ decision: string; reason: string; decided_by: string }>`
      SELECT decision, reason, decided_by FROM holds WHERE rotation_id = ${rotationId}`.execute(world.ledger.db);
    expect(rows).toMatchObject([{ decision: "accept", reason: "the night report may break" }]);
    expect(rows[0]?.decided_by).toMatch(/^tok_/);
    await expect(forgotten.query("SELECT 1")).rejects.toThrow();
    await orders.shop.close();
  });

  it("is asked about no more once somebody else has answered it", async (context) => {
    needs(context, hasTerminal, "no script(1) of util-linux");
    const orders = await register(world, { policy: { holdAfterMs: 400 } });
    orders.shop.isStubborn = true;
    const rotationId = await orders.rotate();
    const terminal = atTerminal(["rotation", "watch", rotationId], cli.env);
    await terminal.until("leave: ");
    const other = await cli.run(["rotation", "roll-back", rotationId, "--hold", "1"]);
    expect(other.code).toBe(0);
    expect(await terminal.ended).toMatchObject({ code: 1, shown: expect.stringContaining("Closed as undone") });
    await orders.shop.close();
  });
});
