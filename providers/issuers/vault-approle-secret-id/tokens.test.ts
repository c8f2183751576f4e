import { expect, test } from "vitest";
import { TransientError } from "../../../domain/errors.ts";
import type { EgressAnswer } from "../../contract/egress.ts";
import { sides } from "../../systems/vault/side.ts";
import type { Vault, VaultCall } from "../../systems/vault/vault.ts";
import { mostAtOnce } from "./few-at-once.ts";
import type { Scope } from "./scope.ts";
import { endTokens, tokensOf } from "./tokens.ts";

const handle = "accessor.0011aa";
const made = {
  path: "auth/approle/login",
  meta: {
    role_name: "orders",
    rekey_instance: "i",
    rekey_credential: "c",
    rekey_operation: "o",
    rekey_claim: "1.1",
    rekey_mark: "0011aa",
  },
  creation_time: 1,
};
const request = { handle, operationKey: "o", claim: { epoch: 1, number: 1 } };

/** So many tokens that others have, and one of the role's; how often each call was made, and how many at the same time. */
function vaultWith(others: number, stops: (path: string) => boolean = () => false) {
  const live = new Set([...Array.from({ length: others }, (_, index) => `other-${index}`), "ours"]);
  const asked: string[] = [];
  let [underWay, most] = [0, 0];
  const answerTo = ({ path, json }: VaultCall): Partial<EgressAnswer> => {
    const { accessor = "" } = (json ?? {}) as { readonly accessor?: string };
    if (path.startsWith("auth/token/accessors")) return { status: 200, body: { data: { keys: [...live] } } };
    if (path === "auth/token/revoke-accessor") return { status: live.delete(accessor) ? 204 : 400 };
    if (!live.has(accessor)) return { status: 400 };
    return { status: 200, body: { data: accessor === "ours" ? made : { ...made, path: "auth/token/create" } } };
  };
  const ask = async (call: VaultCall): Promise<EgressAnswer> => {
    asked.push(call.path);
    most = Math.max(most, (underWay += 1));
    await new Promise<void>((resolve) => void setImmediate(resolve));
    underWay -= 1;
    if (stops(call.path)) throw new TransientError("issuer_unreachable", "It does not answer.");
    return { outcome: "reached", ...answerTo(call) };
  };
  const scope = {
    vault: { ask, side: sides.issuer } as unknown as Vault,
    signal: new AbortController().signal,
    config: { mount: "approle", role: "orders" },
    instance: "i",
    credential: "c",
  } satisfies Scope;
  const count = (path: string) => asked.filter((one) => one.startsWith(path)).length;
  return { scope, count, most: () => most };
}

test("tokens of the role are found among all others, a few looked up at once", async () => {
  const { scope, count, most } = vaultWith(100);
  expect((await tokensOf(scope)).map(({ accessor }) => accessor)).toEqual(["ours"]);
  expect([count("auth/token/lookup-accessor"), most()]).toEqual([101, mostAtOnce]);
});

test("a round that ends tokens looks through all of them once, and again only at those that it meant", async () => {
  const { scope, count } = vaultWith(20);
  expect(await endTokens(scope, request, () => false)).toEqual({ ended: 1, remaining: 0 });
  expect([count("auth/token/accessors"), count("auth/token/lookup-accessor")]).toEqual([1, 22]);
});

test("a token that does not go is counted as left", async () => {
  const { scope } = vaultWith(1, (path) => path.endsWith("revoke-accessor"));
  expect(await endTokens(scope, request, () => false)).toEqual({ ended: 0, remaining: 1 });
});

test("what fails ends the looking", async () => {
  const { scope, count } = vaultWith(100, (path) => path.endsWith("lookup-accessor"));
  await expect(tokensOf(scope)).rejects.toMatchObject({ code: "issuer_unreachable" });
  expect(count("auth/token/lookup-accessor")).toBe(mostAtOnce);
});
