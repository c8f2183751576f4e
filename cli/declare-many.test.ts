import { describe, expect, it } from "vitest";
import { ApiError, type Client } from "../api/client.ts";
import { declareAll, missedLines, previewAll, type Affected, type Plan } from "./declare-many.ts";

const affected = (at: number, how: Affected["how"] = "reserved"): Affected => ({
  ...{ credentialId: `cred_${at}`, credential: `shop/c${at}`, environment: "prod", versions: [1], how },
  ...{
    dead: [],
    revived: [],
    unproven: [],
    alsoNamed: [],
    unmade: [],
    rotationId: null,
    emergencyId: null,
    refusal: null,
  },
  ...{ contain: false, deadlineMs: 1_000, atDeadline: "contain", whenFull: null, older: [], consumers: [] },
});
const many = (count: number): readonly Affected[] => Array.from({ length: count }, (_, at) => affected(at));
const problem = (code: string, detail: string) =>
  new ApiError({ type: `urn:rekey:error:${code}`, title: "A title", status: 400, code, detail, next: "Do this." });

interface Asked {
  readonly credentials?: readonly string[];
  readonly labels?: string;
}
type Answering = (asked: Asked, turn: number) => { affected: Affected[]; missed?: object[] };

/** A client that answers so, and what it was asked. */
function clientOf(answer: Answering) {
  const asked: Asked[] = [];
  const call = async (_name: string, { body }: { body: Asked }) => {
    asked.push(body);
    return Promise.resolve(answer(body, asked.length));
  };
  return { asked, client: { address: "http://nowhere", call } as unknown as Client };
}

const done: Answering = ({ credentials = [] }) => ({
  affected: credentials.map((id) => affected(Number(id.slice("cred_".length)))),
});

async function declare(plans: readonly Plan[], answer: Answering, signal = new AbortController().signal) {
  const { asked, client } = clientOf(answer);
  const told: number[] = [];
  const result = await declareAll(client, plans, { reason: "leaked", signal }, (some) => told.push(some.length));
  return { ...result, told, sent: asked.map(({ credentials }) => credentials?.length) };
}
const plansOf = (count: number): readonly Plan[] => [{ demand: { suspects: [] }, affected: many(count) }];

describe("an emergency of many", () => {
  it("is declared twenty at a time, and each time it is told what is", async () => {
    const { declared, missed, told, sent } = await declare(plansOf(45), done);
    expect([declared.length, missed, told, sent]).toEqual([45, [], [20, 20, 5], [20, 20, 5]]);
  });

  it("leaves out what is dead already", async () => {
    const plans = [{ demand: { suspects: [] }, affected: [affected(0, "dead"), affected(1)] }];
    expect(await declare(plans, done)).toMatchObject({ declared: [{ credential: "shop/c1" }], sent: [1] });
  });

  it("goes on after one that is answered with an error, and names it", async () => {
    const gone = {
      credentialId: "cred_3",
      credential: null,
      code: "not_found",
      title: "Gone",
      detail: "It is.",
      next: "",
    };
    const { declared, missed } = await declare(plansOf(45), (asked, turn) => {
      const all = done(asked, turn).affected;
      return turn === 1
        ? { affected: all.filter((one) => one.credentialId !== "cred_3"), missed: [gone] }
        : { affected: all };
    });
    expect(declared).toHaveLength(44);
    expect(missed).toEqual([
      { credentialId: "cred_3", credential: "shop/c3", code: "not_found", why: "Gone. It is.", next: "" },
    ]);
  });

  it("goes on after a call that is refused, also where it is the first", async () => {
    const { declared, missed } = await declare(plansOf(45), (asked, turn) => {
      if (turn === 1) throw problem("ledger_unreachable", "It is away.");
      return done(asked, turn);
    });
    expect([declared.length, missed.length]).toEqual([25, 20]);
    expect(missed[0]).toMatchObject({ credential: "shop/c0", why: "A title. It is away.", next: "Do this." });
  });

  it("of which nothing is declared for one reason ends with that reason", async () => {
    const refused: Answering = () => {
      throw problem("forbidden", "Not yours.");
    };
    await expect(declare(plansOf(45), refused)).rejects.toThrow("Not yours.");
    await expect(declare(plansOf(1), refused)).rejects.toThrow("Not yours.");
  });

  it("says of a call without an answer that it is in doubt, and asks for nothing more after two", async () => {
    const silent: Answering = () => {
      throw problem("api_unreachable", "Nothing answers.");
    };
    const { missed, sent } = await declare(plansOf(65), silent);
    expect(sent).toEqual([20, 20]);
    expect(missed.map(({ code }) => code)).toEqual([
      ...Array.from({ length: 40 }, () => "api_unreachable"),
      ...Array.from({ length: 25 }, () => "not_asked"),
    ]);
    const lines = missedLines(missed, "NOT DECLARED");
    expect(lines).toEqual(expect.arrayContaining(["IN DOUBT (40):", "NOT DECLARED (25):"]));
    expect(lines.join(" ")).toContain("it may be declared, or not");
    const between = await declare(plansOf(65), (asked, turn) =>
      turn % 2 === 1 ? silent(asked, turn) : done(asked, turn),
    );
    expect([between.declared.length, between.sent]).toEqual([25, [20, 20, 20, 5]]);
  });

  it("names what is left where somebody interrupts it", async () => {
    const interrupted = new AbortController();
    const { declared, missed } = await declare(
      plansOf(25),
      (asked, turn) => {
        interrupted.abort();
        return done(asked, turn);
      },
      interrupted.signal,
    );
    expect([declared.length, missed.length]).toEqual([20, 5]);
  });
});

describe("the preview of many", () => {
  it("asks anew, few at a time, for those whose turn did not come", async () => {
    const late = many(25).map(({ credentialId, credential }) => ({
      ...{ credentialId, credential, code: "ledger_busy", title: "Busy", detail: "Later.", next: "" },
    }));
    const { client, asked } = clientOf((given, turn) =>
      turn === 1 ? { affected: [affected(30)], missed: late } : done(given, turn),
    );
    const wish = { which: { labels: "team=shop" }, demand: { suspects: [] }, called: "team=shop" };
    const { plans, missed } = await previewAll(client, [wish], "leaked");
    expect(asked.map(({ labels, credentials }) => labels ?? credentials?.length)).toEqual(["team=shop", 20, 5]);
    expect([plans.flatMap((plan) => plan.affected).length, missed]).toEqual([26, []]);
  });

  it("of several wishes names the one that is refused, and of one alone is refused itself", async () => {
    const { client } = clientOf((asked, turn) => {
      if (asked.credentials?.[0] === "cred_1") throw problem("request_invalid", "No such version.");
      return done(asked, turn);
    });
    const wishes = [0, 1, 2].map((at) => ({
      ...{ which: { credentials: [`cred_${at}`] }, demand: { suspects: [] }, called: `shop/c${at}` },
    }));
    const { plans, missed } = await previewAll(client, wishes, "leaked");
    expect(plans.flatMap((plan) => plan.affected.map(({ credential }) => credential))).toEqual(["shop/c0", "shop/c2"]);
    expect(missed).toMatchObject([{ credential: "shop/c1", why: "A title. No such version." }]);
    await expect(previewAll(client, wishes.slice(1, 2), "leaked")).rejects.toThrow("No such version.");
  });
});
