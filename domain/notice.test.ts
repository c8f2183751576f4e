import { describe, expect, it, test } from "vitest";
import { codes } from "./errors.ts";
import { audienceOf, noticeEventNames, noticeOf, toldActions, type ToldEvent } from "./notice.ts";

const event = (action: string, details: ToldEvent["details"] = {}): ToldEvent => ({
  action,
  details,
  rotation: "rot_1",
  credential: "shop/orders",
  environment: "production",
  consumer: "press/reports",
});

/** Each with the details that the ledger writes beside it. */
const samples: Readonly<Record<string, ToldEvent["details"]>> = {
  "credential.announced": { dueAt: "2027-01-07T08:00:00.000Z", beginsAt: "2027-01-07T09:30:00.000Z", overdueMs: 0 },
  "rotation.reserved": { version: 2, reason: "hunter2 is the old one" },
  "hold.opened": { number: 1, phase: "drained", code: "stranger_seen", gaps: ["stranger_seen:psql from 10.0.0.1"] },
  "rotation.closed": { outcome: "undone" },
  "emergency.declared": {
    ...{ emergency: "emg_1", versions: [7], reason: "hunter2 is public", contain: false },
    ...{ deadlineMs: 900_000, atDeadline: "contain", suspects: [] },
  },
  "emergency.contained": { emergency: "emg_1", versions: [7], why: "its time is over" },
  "emergency.closed": { emergency: "emg_1", versions: [6, 7], outcome: "proven" },
  "credential.found-overdue": { dueAt: "2027-01-07T08:00:00.000Z", beginsAt: "", overdueMs: 7_200_000 },
  "alarm.raised": { key: "workers", about: "Workers", text: "No worker runs." },
  "alarm.cleared": { key: "workers", about: "Workers", text: "No worker runs." },
  "consumer.found-last": { consumer: "con_1" },
  "version.used-after-death": { version: 3, text: "somebody is logged in from 10.0.0.1" },
  "version.revived": { version: 3, text: "hunter2" },
  "emergency.stranger-found": { version: 3, text: "hunter2" },
};

describe("a notice", () => {
  test.each(toldActions)("of %s is a sentence with the names, and what to do", (action) => {
    const notice = noticeOf(event(action, samples[action]));
    expect(notice?.text).toMatch(/^[A-Z a-z/].+/);
    expect(notice?.text).toMatch(action.startsWith("alarm") ? /Workers/ : /shop\/orders/);
    if (action !== "alarm.cleared") expect(notice?.text).toMatch(/rekey \w+/);
    expect(notice?.text).not.toContain("undefined");
  });

  it("there is of every event of the vocabulary", () => {
    const closed = ["proven", "undone"].map((outcome) => noticeOf(event("rotation.closed", { outcome })));
    const all = [...toldActions.map((action) => noticeOf(event(action, samples[action]))), ...closed];
    expect(new Set(all.map((one) => one?.event))).toEqual(new Set(noticeEventNames));
    expect(Object.keys(audienceOf)).toEqual(noticeEventNames);
  });

  it("says how a rotation ended, and no more than that it is done where it is proven", () => {
    const text = (outcome: string) => noticeOf(event("rotation.closed", { outcome }))?.text;
    expect(text("proven")).toBe(
      "shop/orders (production) is rotated: every consumer has moved, and the former version is proven dead.",
    );
    expect(text("undone")).toContain("was undone: its former version is in force again.");
    expect(text("closed-unproven")).toContain("was not seen dead: a person has accepted that.");
    expect(text("failed-before-effect")).toContain("nothing was changed");
  });

  it("repeats no reason and no gap: a person's words and strangers' names are for who may read the rotation", () => {
    const all = toldActions.map((action) => JSON.stringify(noticeOf(event(action, samples[action])))).join("\n");
    expect(all).not.toContain("hunter2");
    expect(all).not.toContain("10.0.0.1");
    expect(all).toContain(codes.stranger_seen);
  });

  it("says of an emergency which versions leaked, and whether consumers break before or after they could move", () => {
    const text = (details: object) =>
      noticeOf(event("emergency.declared", { ...samples["emergency.declared"], ...details }))?.text;
    expect(text({})).toBe(
      "EMERGENCY: version 7 of shop/orders (production) has leaked. Its consumers move first; what is alive after 15 minutes is ended whoever still uses it. Follow it: rekey credential show shop/orders",
    );
    expect(text({ atDeadline: "hold" })).toContain("what is alive after 15 minutes waits for a person's answer.");
    expect(text({ contain: true, versions: [6, 7] })).toMatch(
      /versions 6, 7 of .* have leaked\. They end before their consumers have another/,
    );
    const closed = (outcome: string) => noticeOf(event("emergency.closed", { versions: [7], outcome }))?.text;
    expect(closed("proven")).toContain("version 7 is proven dead.");
    expect(closed("unproven")).toContain("version 7 was ENDED WITHOUT PROOF, by a person's decision, and may");
    const why = "its credential was deleted";
    expect(noticeOf(event("emergency.closed", { versions: [7], outcome: "unproven", why }))?.text).toContain(
      "version 7 was ENDED WITHOUT PROOF, since its credential was deleted, and may",
    );
  });

  it("says when a rotation begins, to the minute and with its zone", () => {
    const action = "credential.announced";
    expect(noticeOf(event(action, samples[action]))?.text).toContain("is rotated from 2027-01-07 09:30 UTC on");
  });

  it("of an alarm is for endpoints of everything alone, and the overdue one of a team for none of those", () => {
    const of = (action: string) => noticeOf(event(action, samples[action]));
    expect([of("alarm.raised")?.audience, of("alarm.cleared")?.audience]).toEqual(["everything", "everything"]);
    expect([of("credential.found-overdue")?.isToldToAll, of("hold.opened")?.isToldToAll]).toEqual([false, true]);
  });

  it("there is none of what nobody is told, such as what notices themselves write down", () => {
    for (const action of ["notice.given-up", "notice.secret_given", "rotation.adopted", "toString"])
      expect(noticeOf(event(action))).toBeUndefined();
  });
});
