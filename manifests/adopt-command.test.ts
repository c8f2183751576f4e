import { expect, it } from "vitest";
import { adoptCommand, adoptHint } from "./adopt-command.ts";

const byLogin = { authenticator: "password", adoptedFields: ["username", "password"] };

it("the command to adopt names the one login, or that one of several is to be named", () => {
  expect(adoptCommand(byLogin, "shop/orders", ["orders"])).toBe("rekey credential adopt shop/orders --username orders");
  expect(adoptHint(byLogin, "shop/orders", ["orders"])).toBe("rekey credential adopt shop/orders --username orders");
  expect(adoptHint(byLogin, "shop/orders", ["a", "b"])).toBe(
    "rekey credential adopt shop/orders --username LOGIN, where LOGIN is the one in use of a, b",
  );
});

it("the command to adopt names every other field, and never the secret", () => {
  const byKey = { authenticator: "secretKey", adoptedFields: ["keyId", "secretKey"] };
  expect(adoptHint(byKey, "shop/orders", [])).toBe("rekey credential adopt shop/orders --field keyId=VALUE");
});
