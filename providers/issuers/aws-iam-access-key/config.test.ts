import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { handleOf, handlesIn } from "./config.ts";
import { Secret } from "../../contract/secret.ts";

const newId = () => `AKIA${randomBytes(8).toString("hex").toUpperCase()}`;

it("ids of access keys are found in whatever stands around them, and are the handles", () => {
  const [one, two] = [newId(), newId()];
  const text = `aws_access_key_id=${one}\n{"AccessKeyId":"${two}"} AKIA ${one.toLowerCase()} X${one}`;
  expect(handlesIn(text)).toEqual([one, two]);
  const value = { accessKeyId: one, secretAccessKey: new Secret(randomBytes(30).toString("base64")) };
  expect(handlesIn(`${one}:anything`)).toEqual([handleOf({ user: "orders" }, value)]);
});

it("a text without one has none, and ids of temporary keys are none of ours", () => {
  expect(handlesIn("")).toEqual([]);
  expect(handlesIn(newId().replace("AKIA", "ASIA"))).toEqual([]);
});
