import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isHeadGenuine, signHead } from "../ledger/audit-chain.ts";
import { digestOf } from "./parts.ts";
import { readPublicKeys } from "./pinned-keys.ts";
import { readJson } from "./read-json.ts";
import type { ReceiptBody, SignedReceipt } from "./shape.ts";
import { receiptText, signReceipt } from "./sign.ts";
import { verifyReceipt, type PinnedKey } from "./verify.ts";

const example = (name: string) => readFileSync(new URL(`../docs/receipts/${name}`, import.meta.url), "utf8");
/** Of a real rotation, signed by a key that is no more. */
const text = example("example.json");
const document = JSON.parse(text) as SignedReceipt;
const pinned = readPublicKeys(example("example-key.md"));

function newKey(id = "sig_0000000000000001") {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  return { signing: { id, privateKey }, pinned: [{ id, key: publicKey }] };
}

const faultsOf = (given: string, keys: readonly PinnedKey[] = pinned) => {
  const verdict = verifyReceipt(given, keys);
  return verdict.ok ? [] : verdict.faults;
};
const altered = (change: (copy: SignedReceipt) => void): string => {
  const copy = structuredClone(document);
  change(copy);
  return receiptText(copy);
};

describe("a receipt as it was signed", () => {
  it("verifies with the pinned key, and says which one that was", () => {
    expect(verifyReceipt(text, pinned)).toMatchObject({ ok: true, keyId: pinned[0]?.id, unknownSections: [] });
  });

  it("verifies in whatever way its JSON is laid out", () => {
    const sorted = JSON.stringify(Object.fromEntries(Object.entries(document).toReversed()), undefined, 4);
    const escaped = text.replace('"proven"', String.raw`"\u0070roven"`);
    for (const same of [JSON.stringify(document), sorted, escaped, text.replaceAll("\n", "\r\n"), `\n${text}\n`])
      expect(faultsOf(same)).toEqual([]);
  });

  it("verifies with any of several keys, and with one whose file does not say which it is", () => {
    const nameless = pinned.map(({ key }) => ({ id: undefined, key }));
    expect(faultsOf(text, [...newKey().pinned, ...pinned])).toEqual([]);
    expect(faultsOf(text, nameless)).toEqual([]);
  });

  it("may have sections that a later release has added, which are signed all the same", () => {
    const { signing, pinned: keys } = newKey();
    const later = { ...document.receipt, weather: { wind: "none" } } as ReceiptBody;
    const signed = receiptText(signReceipt(later, signing));
    expect(verifyReceipt(signed, keys)).toMatchObject({ ok: true, unknownSections: ["weather"] });
    expect(faultsOf(signed.replace('"none"', '"nome"'), keys)).toMatchObject([{ at: "/receipt/weather/wind" }]);
  });
});

/** As small as a receipt gets that still has each kind of value in it. */
function smallReceipt(signing: Parameters<typeof signReceipt>[1]) {
  const { receipt } = document;
  const small: ReceiptBody = {
    ...receipt,
    ...{ phases: [], consumers: [], verdicts: [], holds: [], effects: [], commands: [], actors: [] },
    deaths: receipt.deaths.map((death) => ({ ...death, inRow: null })),
    audit: { rows: receipt.audit.rows.slice(0, 1), head: null },
  };
  return JSON.stringify(signReceipt(small, signing));
}

const scalar = /"(?:[^"\\]|\\.)*"|[^,\]}]*/y;

/** Which value each byte of a document lies in; undefined between values. */
function ownersOf(given: string): readonly (string | undefined)[] {
  const owners: (string | undefined)[] = Array.from(given, () => undefined);
  for (const [pointer, begins] of readJson(given).offsets) {
    if (given[begins] === "{" || given[begins] === "[") continue;
    scalar.lastIndex = begins;
    const length = scalar.exec(given)?.[0].length ?? 0;
    owners.fill(pointer, begins, begins + length);
  }
  return owners;
}

const valueAt = (pointer: string): unknown =>
  pointer
    .slice(1)
    .split("/")
    .reduce<unknown>((inner, key) => (inner as Record<string, unknown>)[key], document);

describe("one byte that was changed", () => {
  it("is never accepted, wherever it is; within a value, that value is named", () => {
    const { signing, pinned: keys } = newKey();
    const small = smallReceipt(signing);
    const owners = ownersOf(small);
    expect(faultsOf(small, keys)).toEqual([]);
    const counts = { named: 0, unreadable: 0, other: 0 };
    for (let at = 0; at < small.length; at += 1) {
      const flipped = String.fromCharCode(small.charCodeAt(at) ^ 1);
      const given = small.slice(0, at) + flipped + small.slice(at + 1);
      const faults = faultsOf(given, keys);
      expect([at, faults.length > 0]).toEqual([at, true]);
      const owner = owners[at];
      if (faults[0]?.at === "") {
        expect([at, faults[0].place === undefined && !given.includes('"rekey/receipt')]).toEqual([at, false]);
        counts.unreadable += 1;
      } else if (owner === undefined) counts.other += 1;
      else {
        // A digest is named as that of its part, and nothing else is blamed beside it.
        expect([at, owner, faults.map((fault) => fault.at)]).toEqual([at, owner, [owner]]);
        counts.named += 1;
      }
    }
    expect(counts.named).toBeGreaterThan(2_000);
    expect(counts.unreadable).toBeGreaterThan(100);
    expect(counts.other).toBeGreaterThan(100);
  });

  it("is said with what was signed in its place", () => {
    const owners = ownersOf(text);
    const within = [...owners.keys()].filter((at) => owners[at]?.startsWith("/receipt/"));
    fc.assert(
      fc.property(fc.constantFrom(...within), fc.integer({ min: 0x20, max: 0x7e }), (at, byte) => {
        const given = text.slice(0, at) + String.fromCharCode(byte) + text.slice(at + 1);
        const faults = faultsOf(given);
        const pointer = owners[at] ?? "";
        expect(faults).toHaveLength(given === text ? 0 : 1);
        for (const fault of faults) {
          if (fault.at === "") expect(fault.place).toBeDefined();
          else expect(fault.at).toBe(pointer);
          // A backslash takes the letter after it along, so that two letters of what was signed are gone.
          const isEscape = byte === 0x5c;
          const signed = isEscape ? "was signed." : `${JSON.stringify(valueAt(pointer))} was signed.`;
          if (fault.at !== "") expect(fault.text).toContain(signed);
        }
      }),
      { numRuns: 150 },
    );
  });

  it("is placed by line and column", () => {
    const at = text.split("\n").findIndex((line) => line.includes('"outcome": "proven"'));
    const [fault] = faultsOf(text.replace('"outcome": "proven"', '"outcome": "undone"'));
    expect(fault).toEqual({
      at: "/receipt/rotation/outcome",
      place: { line: at + 1, column: 18 },
      text: 'It says "undone"; "proven" was signed.',
    });
    expect(faultsOf(text.replace('"outcome": ', '"outcome"; '))[0]).toMatchObject({
      at: "",
      place: { line: at + 1, column: 16 },
    });
  });
});

describe("more than a byte that was changed", () => {
  it("is named: what was added, taken out, renamed or put elsewhere", () => {
    const cases: readonly [(copy: SignedReceipt) => void, readonly string[], string][] = [
      [(copy) => void copy.receipt.deaths.pop(), ["/receipt/deaths", "/receipt/deaths/0/version"], "was signed"],
      [(copy) => void Object.assign(copy.receipt, { note: "fine" }), ["/receipt/note"], "was not signed"],
      [
        ({ receipt: { rotation } }) => {
          Object.assign(rotation, { cause: rotation.reason });
          Reflect.deleteProperty(rotation, "reason");
        },
        ["/receipt/rotation/cause"],
        "It stands in the place of /receipt/rotation/reason.",
      ],
      [(copy) => void Object.assign(copy, { approved: true }), ["/approved"], "nobody signed it"],
      [(copy) => void Reflect.deleteProperty(copy, "signature"), ["/signature"], "missing"],
      [
        ({ receipt }) => void Object.assign(receipt, { phases: Object.fromEntries(Object.entries(receipt.phases)) }),
        ["/receipt"],
        "in other lists or objects",
      ],
    ];
    for (const [change, pointers, said] of cases) {
      const faults = faultsOf(altered(change));
      expect(faults.map(({ at }) => at)).toEqual(expect.arrayContaining([...pointers]));
      expect(faults.map((fault) => fault.text).join(" ")).toContain(said);
    }
  });

  it("is a name that stands twice, of which programs and people would read different ones", () => {
    const twice = text.replace('"outcome": "proven"', '"outcome": "undone", "outcome": "proven"');
    expect(faultsOf(twice)).toMatchObject([
      { text: expect.stringContaining("/receipt/rotation/outcome stands twice"), place: { column: 28 } },
    ]);
  });

  it("is a value together with its digest: then the signature is not the key's", () => {
    const both = altered((copy) => {
      copy.receipt.rotation.outcome = "undone";
      copy.digests["/rotation/outcome"] = digestOf("undone");
    });
    expect(faultsOf(both)).toMatchObject([{ at: "/signature/value" }]);
  });

  it("is the list of digests alone, which is told from a change of the receipt", () => {
    const list = altered((copy) => void (copy.digests["/rotation/outcome"] = digestOf("undone")));
    expect(faultsOf(list)).toMatchObject([
      { at: "/digests/~1rotation~1outcome", text: expect.stringContaining("the receipt itself is as it was signed") },
    ]);
  });
});

describe("a signature that is none of this receipt", () => {
  it("of another key by the same id, or of one that nobody has pinned", () => {
    const { signing, pinned: others } = newKey(document.signature.keyId);
    const forged = receiptText(signReceipt({ ...document.receipt, instance: "ins_other" }, signing));
    expect(faultsOf(forged)).toMatchObject([{ at: "/signature/value" }]);
    expect(faultsOf(forged, others)).toEqual([]);
    expect(faultsOf(text, newKey().pinned)).toMatchObject([
      { at: "/signature/keyId", text: expect.stringContaining("rekey audit key") },
    ]);
  });

  it("of the same key in another context: a head's is no receipt's, and a receipt's is no head's", () => {
    const { signing, pinned: keys } = newKey();
    const signed = signReceipt(document.receipt, signing);
    const head = signHead({ instance: "ins_1", position: 1, lastAuditId: 1, hash: "00", sealedAt: "now" }, signing);
    const grafted = { ...signed, signature: { ...signed.signature, value: head.signature } };
    expect(faultsOf(receiptText(grafted), keys)).toMatchObject([{ at: "/signature/value" }]);
    const publicKeys = new Map(keys.map(({ id, key }) => [id, key]));
    expect(isHeadGenuine(head, publicKeys)).toBe(true);
    expect(isHeadGenuine({ ...head, signature: signed.signature.value }, publicKeys)).toBe(false);
  });

  it("of a format that this release does not know, or of none", () => {
    expect(faultsOf(text.replace("rekey/receipt/v1", "rekey/receipt/v2"))).toMatchObject([
      { at: "/format", text: expect.stringContaining("this release of rekey knows rekey/receipt/v1") },
    ]);
    for (const none of ["{}", "[]", "null", "7", '{"format": 1}'])
      expect(faultsOf(none)).toMatchObject([{ text: expect.stringContaining("no receipt of a rotation") }]);
    expect(faultsOf("")).toMatchObject([{ place: { line: 1, column: 1 } }]);
    expect(faultsOf("[".repeat(100))).toMatchObject([{ text: expect.stringContaining("deeper than any receipt") }]);
  });
});
