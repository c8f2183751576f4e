import { expect, it } from "vitest";
import { createPrecedence } from "./precedence.ts";

const never = 3_600_000;

function work() {
  let end = (): void => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  return { end, run: async () => ended };
}

it("nobody steps aside while nothing goes first", async () => {
  await createPrecedence(never).letPass();
});

it("who lets pass goes on when the last of those that go first is through, whether or not it failed", async () => {
  const precedence = createPrecedence(never);
  const [one, another] = [work(), work()];
  const passing = [
    precedence.first(one.run),
    precedence.first(another.run).then(() => Promise.reject(new Error("no"))),
  ];
  const told: string[] = [];
  const aside = precedence.letPass().then(() => told.push("goes on"));
  one.end();
  await passing[0];
  expect(told).toEqual([]);
  another.end();
  await expect(passing[1]).rejects.toThrow("no");
  await aside;
  await precedence.letPass();
});

it("nobody steps aside for ever", async () => {
  const precedence = createPrecedence(1);
  void precedence.first(work().run);
  await precedence.letPass();
});
