import { expect, it } from "vitest";
import { isNamed, kindHint, kindNamed, nameHint } from "./kind-named.ts";

it("a kind is known in any case, one or many of it", () => {
  expect(["credential", "Credentials", "TEAM", "teams"].map(kindNamed)).toEqual([
    "Credential",
    "Credential",
    "Team",
    "Team",
  ]);
  expect(["", "s", "cred", "rotation"].map(kindNamed)).toEqual([undefined, undefined, undefined, undefined]);
});

it("a word that is no kind is answered with the kinds and the nearest, and is not repeated", () => {
  const kinds = "There is no such kind. Kinds: team, environment, policy, connection, credential, consumer, notice.";
  expect(kindHint("Credentails")).toBe(`${kinds} Did you mean credential?`);
  expect(kindHint("something else")).toBe(kinds);
});

it("a name that nothing has is answered with the nearest, with its team where it has one", () => {
  expect(nameHint("Credential", "shop/ordrs", ["shop/orders", "press/bills"])).toBe(
    "There is no such credential. Did you mean shop/orders?",
  );
  expect(nameHint("Credential", "shop/bills", ["shop/orders", "press/bills"])).toContain("Did you mean press/bills?");
  expect(nameHint("Credential", "ordrs", ["press/bills", "shop/orders"])).toContain("Did you mean shop/orders?");
  expect(nameHint("Team", "somewhere-else", ["shop"])).toBe(
    "There is no such team. See which there are: rekey export team",
  );
});

it("a name alone means every team's, with a team only that team's", () => {
  const orders = { team: "shop", name: "orders" };
  expect(isNamed("orders", orders)).toBe(true);
  expect(isNamed("shop/orders", orders)).toBe(true);
  expect(isNamed("press/orders", orders)).toBe(false);
  expect(isNamed("shop", orders)).toBe(false);
  expect(isNamed("shop", { name: "shop" })).toBe(true);
  expect(isNamed("shop/shop", { name: "shop" })).toBe(false);
});
