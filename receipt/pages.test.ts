import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { receiptAsPage } from "./as-page.ts";
import { receiptAsText, receiptInShort } from "./as-text.ts";
import { publicKeyText, readPublicKeys, type PublicJwk } from "./pinned-keys.ts";
import { reportOf } from "./report.ts";
import type { ReceiptBody, SignedReceipt } from "./shape.ts";
import { receiptText, signReceipt } from "./sign.ts";
import { verifyFile } from "./verify-page.ts";

const example = (name: string) => readFileSync(new URL(`../docs/receipts/${name}`, import.meta.url), "utf8");
const document = JSON.parse(example("example.json")) as SignedReceipt;
const page = example("example.html");
const pinned = readPublicKeys(example("example-key.md"));

const faultsOf = (text: string, keys = pinned) => {
  const verdict = verifyFile(text, keys);
  return verdict.ok ? [] : verdict.faults;
};

function signed(change: (body: ReceiptBody) => void) {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const body = structuredClone(document.receipt);
  change(body);
  const made = signReceipt(body, { id: "sig_1", privateKey });
  return { document: made, page: receiptAsPage(made), pinned: [{ id: "sig_1", key: publicKey }] };
}

describe("the page of a receipt", () => {
  it("is the same to the last byte in every release that writes this format of pages", () => {
    // Pages that people keep are compared with what is written here: another wording needs another format beside it.
    expect(receiptAsPage(document)).toBe(page);
    expect(faultsOf(page)).toEqual([]);
  });

  it("holds no script, and nothing from elsewhere", () => {
    expect(page).not.toMatch(/<script|<link|<img|<iframe|javascript:|\bon\w+=|url\(|https?:/i);
    expect(page).toContain("default-src 'none'");
  });

  it("is checked with the line ends of whatever mail it went through", () => {
    expect(faultsOf(page.replaceAll("\n", "\r\n"))).toEqual([]);
  });

  it("shows nothing as more than text, and what would hide or turn a line round as its number", () => {
    const nasty = `</pre></span><script>alert(1)</script>"&amp;\u202Etxt.exe\u200B\u001B[2J`;
    const made = signed((body) => {
      body.rotation.reason = nasty;
      body.credential.name = nasty;
      body.consumers[0] = { ...(body.consumers[0] as ReceiptBody["consumers"][number]), target: nasty };
    });
    expect(faultsOf(made.page, made.pinned)).toEqual([]);
    expect(faultsOf(receiptText(made.document), made.pinned)).toEqual([]);
    for (const shown of [made.page, receiptAsText(made.document), receiptInShort(made.document.receipt).join("\n")]) {
      expect(shown).not.toMatch(/[\u202E\u200B\u001B]/);
      expect(shown).toContain(String.raw`\u{202e}txt.exe\u{200b}`);
    }
    expect(made.page).not.toContain("<script");
  });

  it("fails for any byte that is changed in it, and names the part that shows something else", () => {
    expect(faultsOf(page.replace(">PROVEN DEAD<", ">PROVEN  DEAD<"))).toMatchObject([
      { text: expect.stringContaining("from the signed receipt follows"), place: { line: expect.any(Number) } },
    ]);
    const two = page.replace(">28P01<", ">28000<").replace(">observed<", ">attested<");
    expect(faultsOf(two).map(({ at }) => at)).toEqual([
      "/receipt/deaths/0/code",
      "/receipt/consumers/0/evidence/0/strength",
    ]);
    fc.assert(
      fc.property(fc.nat({ max: page.length - 1 }), fc.integer({ min: 0x20, max: 0x7e }), (at, byte) => {
        const given = page.slice(0, at) + String.fromCharCode(byte) + page.slice(at + 1);
        expect([at, faultsOf(given).length > 0]).toEqual([at, given !== page]);
      }),
      { numRuns: 200 },
    );
  });

  it("is told from one without a receipt, and from one of another format", () => {
    expect(faultsOf("<html></html>")).toMatchObject([{ text: expect.stringContaining("no receipt in this page") }]);
    expect(faultsOf(page.replace("receipt-page/v1", "receipt-page/v2"))).toMatchObject([
      { text: expect.stringContaining("The document in the page is good. What the page shows was not checked") },
    ]);
  });

  it("names the line of the file where the document in it was changed", () => {
    const line = page.split("\n").findIndex((one) => one.includes('"outcome": "proven"')) + 1;
    expect(faultsOf(page.replace('"outcome": "proven"', '"outcome": "proved"'))).toMatchObject([
      { at: "/receipt/rotation/outcome", place: { line, column: 18 } },
    ]);
  });
});

describe("the headline", () => {
  const headline = (change: (body: ReceiptBody) => void) => {
    const body = structuredClone(document.receipt);
    change(body);
    const { headline: said, isProven, summary } = reportOf(body);
    return { said, isProven, summary: summary.join(" ") };
  };

  it("invariant 5: is PROVEN DEAD for what was seen refused, and for nothing else", () => {
    expect(headline(() => undefined)).toMatchObject({ said: "PROVEN DEAD", isProven: true });
    const others: readonly ((body: ReceiptBody) => void)[] = [
      (body) => void (body.deaths = []),
      (body) => void (body.deaths = body.deaths.map((death) => ({ ...death, version: death.version + 1 }))),
      (body) => void (body.rotation.outcome = "closed-unproven"),
      (body) => void (body.rotation.outcome = "undone"),
      (body) => void (body.rotation.outcome = "failed-before-effect"),
      (body) => void (body.rotation.from = null),
    ];
    for (const change of others) {
      const { said, isProven } = headline(change);
      expect(said).not.toMatch(/^PROVEN/);
      expect(isProven).toBe(false);
    }
  });

  it("says of a rotation that was taken back which version is in force, and what is not known of the other", () => {
    const back = headline(({ rotation }) => {
      Object.assign(rotation, { outcome: "closed-unproven", direction: "undo" });
    });
    expect(back.said).toBe("UNDONE, AND NOT PROVEN DEAD");
    expect(back.summary).toContain("version 5 of shop/orders was left in force, or put back.");
    expect(back.summary).toContain("Version 6, which was to replace it, was ended, and closed without proof");
    const never = headline((body) => {
      Object.assign(body.rotation, { outcome: "undone", direction: "undo", to: { number: 6, handle: null } });
    });
    expect(never.summary).toContain("Version 6, which was to replace it, was never made.");
  });

  it("says with it that a person accepted a gap, and who and why below", () => {
    const gap = { code: "still_in_use", key: "k", text: "Sessions open on the old version: 1." };
    const made = signed((body) => {
      body.actors = [{ id: "tok_00000000000000000000abcdef", role: "responder", description: "on call" }];
      body.verdicts.push({
        ...{ purpose: "revoke", clear: true, at: "2026-11-30T09:40:20.000000Z", standing: [] },
        accepted: [{ ...gap, by: "tok_00000000000000000000abcdef", reason: "it is a report", acceptedAt: null }],
      });
    });
    expect(made.page).toContain("a gap was open, which a person accepted");
    expect(made.page).toContain("Accepted by on call (responder, tok_…abcdef): it is a report.");
  });
});

describe("a rotation of an emergency", () => {
  const token = "tok_00000000000000000000abcdef";
  type Emergency = NonNullable<ReceiptBody["emergency"]>;
  const declared: Emergency["declarations"][number] = {
    ...{ id: "emg_1", by: token, at: "2026-11-30T09:39:10.000000Z", reason: "found in a repository" },
    ...{ way: "contain", contained: true, deadline: "2026-11-30T09:54:10.000000Z", atDeadline: "contain" },
    ...{ outcome: "proven", closedAt: "2026-11-30T09:40:21.000000Z", carriedBy: null, suspects: [] },
    versions: [{ number: 5, provenAt: "2026-11-30T09:40:20.500000Z", seconds: 70.5 }],
    row: { id: 1, position: 1, at: "2026-11-30T09:39:10.000000Z", action: "emergency.declared", hash: "00" },
  };
  const gap = (key: string) => ({ code: "evidence_missing", key, text: `Consumer ${key} does not run on it yet.` });

  const receiptWith = (change: (emergency: Emergency, body: ReceiptBody) => void) =>
    signed((body) => {
      const carriedBy = body.rotation.id;
      const emergency: Emergency = {
        declarations: [{ ...declared, carriedBy, versions: [...declared.versions], suspects: [] }],
        overridden: [],
        broken: [],
      };
      body.emergency = emergency;
      body.actors = [{ id: token, role: "responder", description: "on call" }];
      change(emergency, body);
    });

  it("says who declared it, when and why, how long it took, whom it broke and what did not keep it", () => {
    const made = receiptWith(({ declarations, overridden, broken }) => {
      declarations[0]?.suspects.push({ consumer: "shop/ci", releasedAt: null, releasedBy: null, reason: null });
      const until = "2026-12-01T00:00:00.000Z";
      overridden.push({ what: "freeze", why: "quarter end", until, by: token, at: declared.at });
      broken.push({ consumer: "shop/orders", from: declared.at, until: "2026-11-30T09:39:12.250000Z", seconds: 2.25 });
    });
    expect(faultsOf(made.page, made.pinned)).toEqual([]);
    expect(faultsOf(receiptText(made.document), made.pinned)).toEqual([]);
    const short = receiptInShort(made.document.receipt).join("\n");
    expect(short).toContain(
      "An emergency was declared by on call (responder, tok_…abcdef) at 2026-11-30 09:39:10.000 UTC: version 5 had leaked. Proven dead 70.500 s (1 min 10 s) later.",
    );
    expect(short).toContain("It broke shop/orders, for 2.250 s.");
    const text = receiptAsText(made.document).replaceAll(/\s+/g, " ");
    expect(text).toContain("ended before its consumers had another");
    expect(text).toContain("shop/ci not released when this was made");
    expect(text).toContain("a freeze quarter end 2026-12-01 00:00:00.000 UTC");
    expect(faultsOf(made.page.replace(">quarter end<", ">quarter-end<"), made.pinned)).toMatchObject([
      { at: "/receipt/emergency/overridden/0/why" },
    ]);
  });

  it("never says that a person accepted what the emergency did not wait for", () => {
    const verdict = { purpose: "revoke", clear: true, at: declared.at, standing: [] };
    const nobody = { by: null, reason: null, acceptedAt: null };
    const person = { by: token, reason: "it is a report", acceptedAt: declared.at };
    const contained = receiptWith((_, { verdicts }) => {
      verdicts.splice(0, verdicts.length, { ...verdict, accepted: [{ ...gap("a"), ...nobody }] });
    });
    expect(contained.page).toContain("although a gap was open, since the emergency waited for nobody");
    expect(contained.page).toContain("Consumer a does not run on it yet. Not waited for, by the emergency.");
    for (const wrong of ["a person accepted", "Accepted by", "nobody on record"])
      expect(contained.page).not.toContain(wrong);
    const both = receiptWith((_, { verdicts }) => {
      const accepted = [
        { ...gap("a"), ...nobody },
        { ...gap("b"), ...person },
      ];
      verdicts.splice(0, verdicts.length, { ...verdict, accepted });
    });
    expect(both.page).toContain("although a gap was open, since the emergency waited for nobody");
    expect(both.page).toContain("although a gap was open, which a person accepted");
    expect(both.page).toContain("Accepted by on call (responder, tok_…abcdef): it is a report.");
  });

  it("invariant 5: calls nothing proven that was not, and names the rotation that goes on", () => {
    const summary = (change: (one: Emergency["declarations"][number]) => void) => {
      const made = receiptWith(({ declarations: [one] }) => one && change(one));
      return reportOf(made.document.receipt).summary.join(" ");
    };
    const alive = { number: 6, provenAt: null, seconds: null };
    const open = summary((one) => {
      one.versions.push(alive);
      Object.assign(one, { outcome: null, closedAt: null, carriedBy: "rot_other" });
    });
    expect(open).toContain("NOT PROVEN DEAD when this was made: version 6.");
    expect(open).toContain("gave way to rot_other");
    const letGo = summary((one) => Object.assign(one, { outcome: "unproven", versions: [alive] }));
    expect(letGo).toContain("Version 6 is NOT PROVEN DEAD, and it was closed without proof.");
    for (const said of [open, letGo]) expect(said).not.toContain("Proven dead");
  });
});

describe("a file of pinned keys", () => {
  const jwk = () => generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" }) as unknown as PublicJwk;

  it("holds one key or several, each with its id", () => {
    const text = [publicKeyText("sig_a1", jwk()), publicKeyText("sig_b2", jwk())].join("\n");
    expect(readPublicKeys(text).map(({ id }) => id)).toEqual(["sig_a1", "sig_b2"]);
    expect(readPublicKeys(text.replaceAll("\n", "\r\n")).map(({ id }) => id)).toEqual(["sig_a1", "sig_b2"]);
    expect(readPublicKeys(text.replaceAll(/^Key-Id.*\n/gm, "")).map(({ id }) => id)).toEqual([undefined, undefined]);
  });

  it("holds none where there is only another kind of key, a private one, or a broken one", () => {
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey.export({ format: "pem", type: "spki" });
    const own = generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" });
    const broken = publicKeyText("sig_a1", jwk()).replace("MCow", "MC");
    for (const text of [String(rsa), String(own), broken, ""]) expect(readPublicKeys(text)).toEqual([]);
  });
});
