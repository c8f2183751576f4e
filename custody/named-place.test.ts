import { expect, test } from "vitest";
import { OperatorNeededError, PermanentError, TransientError } from "../domain/errors.ts";
import { Secret } from "../providers/contract/secret.ts";
import type { Custody, CustodyRef } from "./custody.ts";
import { namedPlace } from "./named-place.ts";

const ref: CustodyRef = {
  instance: "ins",
  credential: "crd",
  version: 1,
  row: "ver",
  purpose: "version",
  pool: "default",
};
const failing = (failure: Error): Custody => ({
  putIfAbsent: () => Promise.reject(failure),
  get: () => Promise.reject(failure),
  forget: () => Promise.reject(failure),
});
const failed = async (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

test.each([OperatorNeededError, TransientError, PermanentError])(
  "an error of ours keeps its class and names the place",
  async (Kind) => {
    const place = namedPlace("main-vault", failing(new Kind("custody_auth_failed", "Make a new secret id.")));
    const value = { password: new Secret("a value of a test") };
    for (const work of [place.get(ref), place.forget(ref), place.putIfAbsent(ref, value)]) {
      const error = await failed(work);
      expect(error).toBeInstanceOf(Kind);
      expect(error).toMatchObject({
        ...{ code: "custody_auth_failed", detail: "Custody place main-vault: Make a new secret id." },
      });
    }
  },
);

test("a foreign error is left as it is", async () => {
  const foreign = new TypeError("x");
  expect(await failed(namedPlace("main-vault", failing(foreign)).get(ref))).toBe(foreign);
});
