import { describe, expect, it, vi } from "vitest";
import { ApiError, type Client } from "../api/client.ts";
import { converse, type Conversed } from "./converse.ts";
import type { Person } from "./person.ts";

type Rotation = Parameters<typeof converse>[0]["found"];
type Hold = NonNullable<Rotation["hold"]>;

const now = "2026-01-02T03:04:05.000Z";
const owner = { consumer: null, team: "shop", contact: "#shop" };
const choice = (name: Hold["choices"][number]["name"], allowed = true) => ({
  name,
  allowed,
  text: `What ${name} does.`,
  needsReason: allowed && name === "accept",
});
const hold: Hold = {
  id: "hld_1",
  number: 2,
  phase: "delivered",
  code: "stranger_seen",
  title: "Somebody is there",
  detail: "psql from here\nor there",
  openedAt: now,
  gaps: [
    { number: 1, key: "a", code: "stranger_seen", text: "psql from here", owner: null },
    { number: 2, key: "b", code: "evidence_missing", text: "web: 1 of 2", owner: { ...owner, consumer: "shop/web" } },
  ],
  owner,
  choices: [
    choice("retry"),
    choice("roll-back", false),
    choice("accept"),
    choice("wait"),
    choice("pause"),
    choice("abort"),
  ],
  givenAnswer: null,
};
const found = { id: "rot_1", credential: "shop/orders", now, hold } as Rotation;

/** Talks to somebody who types these lines in turn, and then is gone. */
async function talk(typed: readonly string[], refuseFirst = false) {
  const told: string[] = [];
  const asked: string[] = [];
  const rest = [...typed];
  const person: Person = {
    tell: (...lines) => void told.push(...lines),
    ask: async (question) => {
      asked.push(question);
      return rest.shift();
    },
  };
  const call = vi.fn<(route: string, request: unknown) => Promise<unknown>>(async () => ({}));
  if (refuseFirst)
    call.mockRejectedValueOnce(
      new ApiError({
        type: "",
        title: "",
        status: 409,
        code: "command_refused",
        detail: "That is over.",
        next: "Look.",
      }),
    );
  const client = { call } as unknown as Client;
  const said: Conversed = await converse({ person, client, found, hold, signal: new AbortController().signal });
  return { said, told: told.join("\n"), asked, given: call.mock.calls.map(([, request]) => request) };
}

describe("a hold is a conversation", () => {
  it("tells what is missing, since when, whom to ask and what each answer does", async () => {
    const { told, said, given } = await talk(["leave"]);
    expect(told).toContain("HOLD 2, in delivered, since 03:04:05 (0s): Somebody is there");
    expect(told).toMatch(/gap 2 +shop\/web +team shop +#shop/);
    expect(told).toContain("Not possible: What roll-back does.");
    expect([said, given]).toEqual(["leave", []]);
  });

  it("gives what was typed, in whole or as far as it is clear", async () => {
    const { said, given } = await talk(["ret"]);
    expect(said).toBe("given");
    const command = { kind: "decide", holdId: "hld_1", decision: "retry", gaps: ["a", "b"] };
    expect(given).toEqual([{ params: { rotation: "rot_1" }, body: { command, reason: "" } }]);
    expect((await talk(["pause"])).given).toMatchObject([{ body: { command: { kind: "pause" } } }]);
  });

  it("never chooses: nothing, something unclear or something impossible asks again", async () => {
    const { asked, given, said, told } = await talk(["", "a", "roll-back", "yes"]);
    expect(told).toContain("Type more of it: accept or abort.");
    expect(asked).toHaveLength(5);
    expect(asked[0]).toBe("Type one of retry, accept, wait, pause, abort, leave: ");
    expect([given, said]).toEqual([[], "leave"]);
  });

  it("accepts only with every gap named and a reason", async () => {
    expect((await talk(["accept", ""])).given).toEqual([]);
    expect((await talk(["accept", "1"])).told).toContain("all of its gaps have to be named");
    expect((await talk(["accept", "1,2", ""])).told).toContain("it needs a reason");
    expect((await talk(["accept", "1, 2", "night report"])).given).toMatchObject([
      { body: { command: { decision: "accept", gaps: ["a", "b"] }, reason: "night report" } },
    ]);
  });

  it("tells a refusal and asks again", async () => {
    const { told, said, given } = await talk(["retry", "wait"], true);
    expect(told).toContain("Refused: That is over. Look.");
    expect([said, given.length]).toEqual(["wait", 1]);
  });
});
