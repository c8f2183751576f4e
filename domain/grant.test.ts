import { describe, expect, it } from "vitest";
import { admitGrantAnswer, grantStates, type GrantCase } from "./grant.ts";

const digest = "d".repeat(64);
const asked: GrantCase = {
  state: "pending",
  digest,
  requestedBy: "tok_asks",
  isPlaceAllowed: true,
  isOwner: true,
  isRequester: false,
  isOfTeam: true,
};
const approve = { kind: "approve", actor: "tok_owns", digest } as const;
const refuse = { kind: "refuse", actor: "tok_owns" } as const;
const withdraw = { kind: "withdraw", actor: "tok_asks" } as const;

describe("a grant", () => {
  it("is approved by a token of the credential's team, by the digest of what it says", () => {
    expect(admitGrantAnswer(approve, asked)).toEqual({ ok: true });
    expect(admitGrantAnswer({ ...approve, digest: "e".repeat(64) }, asked)).toMatchObject({
      ok: false,
      code: "grant_refused",
      reason: expect.stringContaining("rekey grant show"),
    });
  });

  it("is never approved by the token that asked, whatever else that token may", () => {
    for (const isOfTeam of [true, false])
      for (const isRequester of [true, false])
        expect(admitGrantAnswer({ ...approve, actor: "tok_asks" }, { ...asked, isOfTeam, isRequester })).toMatchObject({
          ok: false,
          code: "forbidden",
          reason: expect.stringContaining("themselves"),
        });
  });

  it("is approved and refused by nobody but the owner, and withdrawn by nobody but who asked", () => {
    const others = { ...asked, isOwner: false };
    expect(admitGrantAnswer(approve, others)).toMatchObject({ code: "forbidden" });
    expect(admitGrantAnswer(refuse, others)).toMatchObject({ code: "forbidden" });
    expect(admitGrantAnswer(refuse, asked)).toEqual({ ok: true });
    expect(admitGrantAnswer(withdraw, asked)).toMatchObject({ code: "forbidden" });
    expect(admitGrantAnswer(withdraw, { ...others, isRequester: true })).toEqual({ ok: true });
  });

  it("of a place that no connection measures out to a team is approved by an operator alone", () => {
    const open = { ...asked, isPlaceAllowed: false };
    expect(admitGrantAnswer(approve, open)).toMatchObject({ code: "forbidden" });
    expect(admitGrantAnswer(approve, { ...open, isOfTeam: false })).toEqual({ ok: true });
    expect(admitGrantAnswer(refuse, open)).toEqual({ ok: true });
  });

  it("that has an answer takes no other, and says which it has", () => {
    for (const state of grantStates.filter((one) => one !== "pending"))
      for (const answer of [approve, refuse, withdraw])
        expect(admitGrantAnswer(answer, { ...asked, isRequester: true, state })).toMatchObject({
          ok: false,
          code: "grant_refused",
          reason: expect.stringContaining(state),
        });
  });
});
