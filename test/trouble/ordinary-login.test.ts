import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  adoptFor,
  applyFor,
  initFor,
  makeOrdinaryLogin,
  paste,
  reserveFor,
  type OrdinaryLogin,
} from "../harness/ordinary-login.ts";
import { needs } from "../harness/needs.ts";
import { newSecret, releases } from "../harness/postgres-issuer.ts";
import { say } from "../harness/say.ts";
import { openStepBench, type StepBench } from "../harness/step-bench.ts";
import { readRotation } from "../harness/world.ts";

/** From a login that nobody has prepared to a credential, as the printed pages say, while the application works. */
async function bringUnder(bench: StepBench, login: OrdinaryLogin): Promise<string> {
  const adminPassword = newSecret();
  const found = await initFor(bench, login);
  expect(found.findings).toEqual([]);
  await paste(bench, found.steps, adminPassword);
  const credentialId = await applyFor(bench, found, adminPassword);
  expect(await adoptFor(bench, credentialId, login)).toMatchObject({ state: "done" });
  return credentialId;
}

/** Carried to its end, or the hold that it ends in. */
async function outcomeOf(bench: StepBench, rotation: string): Promise<string | null> {
  await bench.carry(rotation);
  const { outcome, hold } = await readRotation(bench, rotation);
  return hold === null ? outcome : `${hold.code}: ${hold.detail}`;
}

const seenUsers = (login: OrdinaryLogin) => login.shop.report().held.map(({ user }) => user);

for (const release of releases)
  describe(`one ordinary login that owns its tables, on ${release.name}`, () => {
    let bench: StepBench | undefined;
    beforeAll(async () => {
      if (release.missing === undefined) bench = await openStepBench({}, release);
    });
    afterAll(async () => bench?.close());
    const ready = (context: Parameters<typeof needs>[0]): StepBench => {
      needs(context, bench !== undefined, release.missing ?? "the server did not start");
      if (bench === undefined) throw new Error("no bench");
      return bench;
    };

    it("invariant 1: is converted, adopted and rotated twice, and no statement of the application fails", async (context) => {
      const at = ready(context);
      const login = await makeOrdinaryLogin(at);
      const credentialId = await bringUnder(at, login);
      for (const version of [2, 3, 4]) {
        const rotation = await reserveFor(at, credentialId);
        expect(await outcomeOf(at, rotation)).toBe("proven");
        if (version === 2) expect(await at.issuer.logsIn(login.name, login.password, login.database)).toBe("28P01");
      }
      const again = await initFor(at, login);
      const none = { isUnderRekey: true, steps: [], manifests: [], findings: [] };
      expect(again).toMatchObject({ ...none, credential: `main/${login.database.replace("_", "-")}` });
      const { failures, statements } = await login.shop.close();
      expect(failures).toEqual([]);
      expect(statements).toBeGreaterThan(20);
      const { name } = login;
      expect(seenUsers(login)).toEqual([name, `${name}_a`, `${name}_b`, `${name}_a`]);
      const owners = await at.issuer.ask(
        "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'shop'",
        login.database,
      );
      expect(owners).toEqual([{ tableowner: name }]);
    });

    it("shares its registered connection with a second login of the server", async (context) => {
      const at = ready(context);
      const login = await makeOrdinaryLogin(at);
      await bringUnder(at, login);
      const second = await makeOrdinaryLogin(at);
      const connection = `main/${login.database.replace("_", "-")}-server`;
      const found = await initFor(at, second, { ...at.issuer, admin: `admin_${login.database}` });
      expect(found).toMatchObject({ connection });
      expect(found.manifests.map(({ kind }) => kind)).not.toContain("Connection");
      expect(found.manifests.find(({ kind }) => kind === "Credential")?.spec).toMatchObject({ connection });
      const other = await initFor(at, second, { ...at.issuer, admin: "another_admin" });
      expect(other.manifests.map(({ kind }) => kind)).toContain("Connection");
      await Promise.all([login.shop.close(), second.shop.close()]);
    });

    it("invariant 10: undoing the first rotation brings version 1 back, the owner's own login", async (context) => {
      const at = ready(context);
      const login = await makeOrdinaryLogin(at);
      const credentialId = await bringUnder(at, login);
      const rotation = await reserveFor(at, credentialId);
      await at.reach(rotation, "disabled");
      await say(at, rotation, { kind: "abort" });
      expect(await outcomeOf(at, rotation)).toBe("undone");
      expect(await at.issuer.logsIn(login.name, login.password, login.database)).toBe("accepted");
      const { failures } = await login.shop.close();
      expect(failures).toEqual([]);
      expect(seenUsers(login)).toEqual([login.name, `${login.name}_a`, login.name]);
    });

    it("stays as it was where access rules let one of the pair in and not the other, and the hold says where to look", async (context) => {
      const at = ready(context);
      const login = await makeOrdinaryLogin(at);
      const credentialId = await bringUnder(at, login);
      const rule = `host ${login.database} ${login.name}_a 127.0.0.1/32 reject`;
      await at.issuer.addRule(rule);
      const rotation = await reserveFor(at, credentialId);
      expect(await outcomeOf(at, rotation)).toMatch(/^candidate_refused: .*28000.*pg_hba/s);
      expect(seenUsers(login)).toEqual([login.name]);
      await at.issuer.removeRule(rule);
      await at.answer(rotation, "retry");
      expect(await outcomeOf(at, rotation)).toBe("proven");
      expect((await login.shop.close()).failures).toEqual([]);
    });

    it("invariant 16: is not touched while the admin may do less than was printed; each right is named with its SQL", async (context) => {
      const at = ready(context);
      const login = await makeOrdinaryLogin(at);
      const credentialId = await bringUnder(at, login);
      const admin = `"admin_${login.database}"`;
      await at.issuer.ask(`ALTER ROLE ${admin} NOCREATEROLE; REVOKE pg_signal_backend, pg_monitor FROM ${admin}`);
      const rotation = await reserveFor(at, credentialId);
      const said = await outcomeOf(at, rotation);
      for (const mend of [
        `ALTER ROLE ${admin} CREATEROLE;`,
        `GRANT pg_signal_backend TO ${admin};`,
        `GRANT pg_monitor TO ${admin};`,
      ])
        expect(said).toContain(mend);
      const { steps } = await initFor(at, login);
      await paste(at, steps, "");
      await at.answer(rotation, "retry");
      expect(await outcomeOf(at, rotation)).toBe("proven");
      expect((await login.shop.close()).failures).toEqual([]);
    });

    it("may be named with capitals, spaces and dashes", async (context) => {
      const at = ready(context);
      const login = await makeOrdinaryLogin(at, `Ann-Shop of ${at.issuer.version}`);
      const credentialId = await bringUnder(at, login);
      expect(await outcomeOf(at, await reserveFor(at, credentialId))).toBe("proven");
      expect((await login.shop.close()).failures).toEqual([]);
    });
  });
