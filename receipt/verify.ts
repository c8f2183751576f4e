import type { KeyObject } from "node:crypto";
import { digestsOf, leavesOf, pointerTo } from "./parts.ts";
import { JsonError, placeIn, readJson, type Place, type ReadJson } from "./read-json.ts";
import { recover } from "./recover.ts";
import { receiptBody, receiptFormat, type ReceiptBody } from "./shape.ts";
import { isSignatureOf } from "./sign.ts";

/** A public key that the checker has pinned. */
export interface PinnedKey {
  /** Undefined where its file does not say: it is tried for every id. */
  readonly id: string | undefined;
  readonly key: KeyObject;
}

/** One thing that is not as it was signed. */
export interface Fault {
  /** JSON pointer into the document; "" when the document itself cannot be read. */
  readonly at: string;
  readonly text: string;
  readonly place?: Place | undefined;
}

export type ReceiptVerdict =
  | {
      readonly ok: true;
      readonly receipt: ReceiptBody;
      readonly keyId: string;
      readonly unknownSections: readonly string[];
    }
  | { readonly ok: false; readonly faults: readonly Fault[] };

type Digests = Readonly<Record<string, string>>;
interface Wrapper {
  readonly receipt: unknown;
  readonly digests: Digests;
  readonly keyId: string;
  readonly value: string;
}

/** Checks a receipt with nothing but itself and the pinned keys, and says which part is not what was signed. */
export function verifyReceipt(text: string, keys: readonly PinnedKey[]): ReceiptVerdict {
  let json: ReadJson;
  try {
    json = readJson(text);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    return { ok: false, faults: [{ at: "", text: `It cannot be read as JSON: ${error.message}`, place: error.place }] };
  }
  const placed = (faults: readonly Fault[]) =>
    faults.map((fault) => {
      const offset = json.offsets.get(fault.at);
      return offset === undefined ? fault : { ...fault, place: placeIn(text, offset) };
    });
  const wrapper = unwrap(json.value);
  if ("faults" in wrapper) return { ok: false, faults: placed(wrapper.faults) };
  const faults = findFaults(wrapper, keys);
  if (faults.length > 0) return { ok: false, faults: placed(faults) };
  const shaped = receiptBody.safeParse(wrapper.receipt);
  if (!shaped.success) {
    const path = shaped.error.issues[0]?.path.map(String) ?? [];
    const at = path.reduce(pointerTo, "/receipt");
    const said =
      "It was signed like this, but is not in the shape that this release of rekey knows. Check it with the one that made it.";
    return { ok: false, faults: placed([{ at, text: said }]) };
  }
  const unknownSections = Object.keys(wrapper.receipt as object).filter((name) => !(name in receiptBody.shape));
  return { ok: true, receipt: shaped.data, keyId: wrapper.keyId, unknownSections };
}

const members = { "": ["format", "receipt", "digests", "signature"], "/signature": ["algorithm", "keyId", "value"] };

function unwrap(value: unknown): Wrapper | { readonly faults: readonly Fault[] } {
  const isObject = (one: unknown): one is Readonly<Record<string, unknown>> =>
    typeof one === "object" && one !== null && !Array.isArray(one);
  const { format, receipt, digests, signature } = isObject(value) ? value : {};
  if (format !== receiptFormat) {
    const isOther = typeof format === "string" && /^rekey\/receipt\/v\d+$/.test(format);
    const said = isOther
      ? `The format is ${format}, and this release of rekey knows ${receiptFormat}. Check it with a release that knows it.`
      : `It is no receipt of a rotation: the format ${receiptFormat} is not in it.`;
    return { faults: [{ at: isObject(value) && "format" in value ? "/format" : "", text: said }] };
  }
  const faults = [...strayMembers("", value), ...(isObject(signature) ? strayMembers("/signature", signature) : [])];
  if (faults.length > 0) return { faults };
  const wrong = (at: string, text: string) => ({ faults: [{ at, text }] });
  if (!isObject(receipt)) return wrong("/receipt", "It says nothing of a rotation.");
  if (!isObject(digests) || !Object.values(digests).every((one) => typeof one === "string"))
    return wrong("/digests", "There is no list of digests.");
  if (!isObject(signature)) return wrong("/signature", "There is no signature.");
  const { algorithm, keyId, value: signed } = signature;
  if (algorithm !== "Ed25519") return wrong("/signature/algorithm", 'It says another algorithm than "Ed25519".');
  if (typeof keyId !== "string" || typeof signed !== "string")
    return wrong("/signature", "The signature is not whole.");
  return { receipt, digests: digests as Digests, keyId, value: signed };
}

function strayMembers(at: keyof typeof members, value: unknown): readonly Fault[] {
  const found = Object.keys(value as object);
  const missing = members[at].filter((name) => !found.includes(name));
  const added = found.filter((name) => !(members[at] as readonly string[]).includes(name));
  return [
    ...missing.map((name) => ({ at: pointerTo(at, name), text: "It is missing." })),
    ...added.map((name) => ({
      at: pointerTo(at, name),
      text: "It was added: no receipt has it, and nobody signed it.",
    })),
  ];
}

/** The signature is over the digests, so that those which it vouches for tell what was changed. */
function findFaults(wrapper: Wrapper, keys: readonly PinnedKey[]): readonly Fault[] {
  const { digests: given, keyId, receipt } = wrapper;
  const computed = digestsOf(receipt);
  const fitting = keys.filter(({ id }) => id === undefined || id === keyId);
  const isBy = (key: PinnedKey, digests: Digests, id = keyId) =>
    isSignatureOf(key.key, { ...wrapper, digests, keyId: id });
  if (fitting.some((key) => isBy(key, given))) return changedParts(receipt, given, computed);
  if (fitting.some((key) => isBy(key, computed))) return changedDigests(given, computed);
  for (const key of keys)
    if (key.id !== undefined && key.id !== keyId && (isBy(key, given, key.id) || isBy(key, computed, key.id))) {
      const renamed = { at: "/signature/keyId", text: `It says ${said(keyId)}; ${said(key.id)} signed it.` };
      return [
        renamed,
        ...(isBy(key, given, key.id) ? changedParts(receipt, given, computed) : changedDigests(given, computed)),
      ];
    }
  // The list has no signature to vouch for it here: what differs from it is worth a look, and no more is known.
  const parts = changedParts(receipt, given, computed).filter(({ at }) => at !== "/receipt");
  const known = keys.flatMap(({ id }) => id ?? []).join(", ");
  if (fitting.length === 0)
    return [
      {
        at: "/signature/keyId",
        text: `Key ${said(keyId)} signed it; those given are ${known}. Give that key too, if you trust it: rekey audit key prints it.`,
      },
      ...parts,
    ];
  const untrue = `Key ${said(keyId)} did not sign this: the signature was changed, another key made it, or the list of digests was changed too.`;
  return [{ at: "/signature/value", text: untrue }, ...parts];
}

const said = (value: unknown): string => JSON.stringify(value);
const inReceipt = (pointer: string): string => `/receipt${pointer}`;

function changedParts(receipt: unknown, signed: Digests, computed: Digests): readonly Fault[] {
  const leaves = leavesOf(receipt);
  const byDigest = new Map([...leaves].map(([at, leaf]) => [computed[at] ?? "", leaf]));
  const gone = Object.keys(signed).filter((at) => at !== "" && computed[at] === undefined);
  const added = Object.keys(computed).filter((at) => at !== "" && signed[at] === undefined);
  const changed = Object.keys(computed).filter(
    (at) => at !== "" && signed[at] !== undefined && signed[at] !== computed[at],
  );
  const isMoved = (from: string, to: string) => signed[from] === computed[to];
  const faults = [
    ...changed.map((at) => {
      const was = recover(signed[at] ?? "", leaves.get(at), byDigest);
      const text = `It says ${said(leaves.get(at))}; ${was === undefined ? "something else" : said(was.value)} was signed.`;
      return { at: inReceipt(at), text };
    }),
    ...added.map((at) => {
      const from = gone.find((other) => isMoved(other, at));
      const text =
        from === undefined
          ? `It says ${said(leaves.get(at))}, and was not signed.`
          : `It stands in the place of ${inReceipt(from)}.`;
      return { at: inReceipt(at), text };
    }),
    ...gone
      .filter((at) => !added.some((other) => isMoved(at, other)))
      .map((at) => {
        const was = recover(signed[at] ?? "", undefined, byDigest);
        return {
          at: inReceipt(at),
          text: `It is missing${was === undefined ? "" : `: ${said(was.value)} was signed`}.`,
        };
      }),
  ];
  if (faults.length === 0 && signed[""] !== computed[""])
    return [{ at: "/receipt", text: "Its values are those that were signed, in other lists or objects." }];
  return faults;
}

/** The receipt is what was signed, to the last byte; the list that goes with it is not. */
function changedDigests(given: Digests, signed: Digests): readonly Fault[] {
  const names = [...new Set([...Object.keys(given), ...Object.keys(signed)])];
  return names
    .filter((at) => given[at] !== signed[at])
    .map((at) => ({
      at: pointerTo("/digests", at),
      text: `The digest of ${inReceipt(at)} was ${given[at] === undefined ? "taken out" : signed[at] === undefined ? "added" : "changed"}; the receipt itself is as it was signed.`,
    }));
}
