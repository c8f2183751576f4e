import { expect, it } from "vitest";
import { isPrivate } from "./private-file.ts";

const own = 1_200;

it("takes this user's own file when nobody else may do anything with it", () => {
  for (const mode of [0o600, 0o400]) expect(isPrivate({ mode, uid: own }, own)).toBe(true);
  for (const mode of [0o640, 0o620, 0o610, 0o604, 0o602, 0o644]) expect(isPrivate({ mode, uid: own }, own)).toBe(false);
});

it("takes root's that a group may read, as systemd and Kubernetes lend secrets, and none that others may", () => {
  for (const mode of [0o400, 0o440, 0o640]) expect(isPrivate({ mode, uid: 0 }, own)).toBe(true);
  for (const mode of [0o660, 0o450, 0o444, 0o404, 0o644]) expect(isPrivate({ mode, uid: 0 }, own)).toBe(false);
});

it("takes root's own by the strict rule when root runs rekey", () => {
  expect(isPrivate({ mode: 0o440, uid: 0 }, 0)).toBe(false);
  expect(isPrivate({ mode: 0o400, uid: 0 }, 0)).toBe(true);
});

it("takes no file of another user", () => {
  expect(isPrivate({ mode: 0o400, uid: 1_300 }, own)).toBe(false);
});
