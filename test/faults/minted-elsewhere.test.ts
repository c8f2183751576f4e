import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { close } from "../../activities/close.ts";
import { issue } from "../../activities/issue.ts";
import { revoke } from "../../activities/revoke.ts";
import { gate } from "../conformance/gate.ts";
import { needs } from "../harness/needs.ts";
import type { HttpCall, HttpProxy } from "../harness/proxy/http.ts";
import { say } from "../harness/say.ts";
import { hasVault, noVault } from "../harness/vault.ts";
import { readRotation } from "../harness/world.ts";
import { openMintedScenes, type MintedScene, type MintedScenes, type System } from "./minted-scenes.ts";

/** What the calls of each system say. */
const calls = {
  aws: {
    mint: ["Action=CreateAccessKey&"],
    end: ["Action=UpdateAccessKey&", "Status=Inactive"],
    put: ["secretsmanager.CreateSecret"],
    forget: ["secretsmanager.PutSecretValue"],
  },
  vault: {
    mint: ["POST ", "/secret-id "],
    end: ["/secret-id-accessor/destroy "],
    put: ["POST ", "/data/"],
    forget: ["/destroy/"],
  },
} as const;

interface Case {
  readonly orders: MintedScene;
  readonly rotationId: string;
}

const failureOf = async (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

/** Holds the next such call back; resolves when it is on its way. */
function holdBack(proxy: HttpProxy, match: (call: HttpCall) => boolean) {
  const [until, release] = gate();
  return { arrived: proxy.meet(match, { do: "delay", until }), release };
}

describe.each<[issuer: System, values: "the ledger" | "a place of the same system"]>([
  ["aws", "the ledger"],
  ["aws", "a place of the same system"],
  ["vault", "the ledger"],
  ["vault", "a place of the same system"],
])("attempts at the issuer in %s, with the values in %s", { timeout: 60_000 }, (system, values) => {
  let folder: string;
  let scenes: MintedScenes;
  const { mint, end, put, forget } = calls[system];
  const isHere = system === "aws" || hasVault;
  const isElsewhere = values !== "the ledger";

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "rk-minted-"));
    if (isHere) scenes = await openMintedScenes(folder, system, isElsewhere);
  }, 120_000);

  beforeEach((context) => needs(context, isHere, noVault));

  afterAll(async () => {
    if (isHere) await scenes?.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function begun(): Promise<Case> {
    const orders = await scenes.register();
    const rotationId = await orders.rotate();
    await scenes.take(rotationId, "preflight");
    return { orders, rotationId };
  }

  async function expectEnded({ orders, rotationId }: Case, outcome: "proven" | "undone") {
    expect(await readRotation(scenes, rotationId)).toMatchObject({ outcome, hold: null });
    expect(await orders.wrong()).toEqual([]);
  }

  it("invariant 7: of two at once, the older records nothing and what the newer one made stays", async () => {
    const { orders, rotationId } = await begun();
    const [until, release] = gate();
    void orders.issuer.meet(orders.says(...mint), { do: "delay-answer", until });
    const older = failureOf(issue(await scenes.begin(rotationId, "issue")));
    await expect.poll(() => orders.liveCount(), { timeout: 30_000 }).toBe(2);
    await issue(await scenes.begin(rotationId, "issue"));
    release();
    expect(await older).toMatchObject({ code: "claim_outdated" });
    expect(await orders.liveCount()).toBe(2);
    await scenes.carry(rotationId);
    await expectEnded({ orders, rotationId }, "proven");
  });

  it("invariant 2: one whose call lands after the rotation is over ends what it made", async () => {
    const { orders, rotationId } = await begun();
    const { arrived, release } = holdBack(orders.issuer, orders.says(...mint));
    const late = failureOf(issue(await scenes.begin(rotationId, "issue")));
    await arrived;
    await scenes.carry(rotationId);
    release();
    expect(await late).toMatchObject({ code: "claim_outdated" });
    expect(orders.issuer.calls.filter(orders.says(...mint)).map(({ status }) => status)).toEqual([200, 200]);
    await expectEnded({ orders, rotationId }, "proven");
  });

  it("invariant 2: one that wakes after the undo leaves neither a version nor a value", async () => {
    const { orders, rotationId } = await begun();
    const late = await scenes.begin(rotationId, "issue");
    await say(scenes, rotationId, { kind: "abort" });
    await scenes.carry(rotationId);
    expect(await failureOf(issue(late))).toMatchObject({ code: "claim_outdated" });
    expect(orders.issuer.calls.filter(orders.says(...mint))).toHaveLength(1);
    await expectEnded({ orders, rotationId }, "undone");
  });

  it("invariant 7: a revocation that arrives when version 3 lives ends nothing that lives", async () => {
    const { orders, rotationId } = await begun();
    await scenes.reach(rotationId, "revoking");
    const { arrived, release } = holdBack(orders.issuer, orders.says(...end));
    const late = failureOf(revoke(await scenes.begin(rotationId, "revoke")));
    await arrived;
    await scenes.carry(rotationId);
    await expectEnded({ orders, rotationId }, "proven");
    const next = await orders.rotate();
    await scenes.carry(next);
    release();
    await late;
    await expectEnded({ orders, rotationId: next }, "proven");
  });

  if (isElsewhere)
    describe("whose calls to custody are late", () => {
      const held = (orders: MintedScene, match: (call: HttpCall) => boolean) => {
        if (orders.place === undefined) throw new Error("The values rest in the ledger.");
        return holdBack(orders.place, match);
      };

      it("invariant 2: a value that is put after the undo is taken out again", async () => {
        const { orders, rotationId } = await begun();
        const { arrived, release } = held(orders, orders.says(...put, "/2/version"));
        const late = failureOf(issue(await scenes.begin(rotationId, "issue")));
        await arrived;
        await say(scenes, rotationId, { kind: "abort" });
        await scenes.carry(rotationId);
        release();
        expect(await late).toMatchObject({ code: "claim_outdated" });
        await expectEnded({ orders, rotationId }, "undone");
      });

      it("invariant 7: of two that put at once, the value of the newer one stays where it was first", async () => {
        const { orders, rotationId } = await begun();
        const { arrived, release } = held(orders, orders.says(...put, "/2/version"));
        const late = failureOf(issue(await scenes.begin(rotationId, "issue")));
        await arrived;
        await issue(await scenes.begin(rotationId, "issue"));
        release();
        expect(await late).toMatchObject({ code: "custody_missing" });
        await scenes.carry(rotationId);
        await expectEnded({ orders, rotationId }, "proven");
      });

      it("invariant 7: of two that put at once, the older one's value that came first has the version given up", async () => {
        const { orders, rotationId } = await begun();
        const older = held(orders, orders.says(...put, "/2/version"));
        const first = failureOf(issue(await scenes.begin(rotationId, "issue")));
        await older.arrived;
        const newer = held(orders, orders.says(...put, "/2/version"));
        const second = failureOf(issue(await scenes.begin(rotationId, "issue")));
        await newer.arrived;
        older.release();
        await first;
        newer.release();
        expect(await second).toMatchObject({ code: "custody_missing", name: "PermanentError" });
        await scenes.carry(rotationId);
        await expectEnded({ orders, rotationId }, "undone");
      });

      it("invariant 7: what is told to be forgotten again when version 3 lives is version 1 alone", async () => {
        const { orders, rotationId } = await begun();
        await scenes.reach(rotationId, "proven");
        const { arrived, release } = held(orders, orders.says(...forget, "/1/version"));
        const late = failureOf(close(await scenes.begin(rotationId, "close")));
        await arrived;
        await scenes.carry(rotationId);
        await expectEnded({ orders, rotationId }, "proven");
        const next = await orders.rotate();
        await scenes.carry(next);
        release();
        await late;
        await expectEnded({ orders, rotationId: next }, "proven");
      });
    });
});
