import { expect, it } from "vitest";
import { TransientError } from "../domain/errors.ts";
import type { ProviderContext } from "../providers/contract/context.ts";
import { inTurns, type LookWork } from "./look-in-turns.ts";

const context = (signal: AbortSignal = new AbortController().signal): ProviderContext => ({
  signal,
  fetch: Object.assign(() => Promise.reject(new Error("no HTTP")), { resolve: () => Promise.resolve([]) }),
  log: () => undefined,
});

const forEver = () => new Promise<never>(() => undefined);
const well = (about: string): LookWork => ({
  about,
  look: () => Promise.resolve([{ about, state: "ok", text: "Well." }]),
});

it("what fails is bad in its own words, and what fails unexpectedly without a foreign word", async () => {
  const unreachable = new TransientError("issuer_unreachable", "Nothing answers there.");
  const looks = await inTurns(
    [
      { about: "a", look: () => Promise.reject(unreachable) },
      { about: "b", look: () => Promise.reject(new Error("password=hidden")) },
      well("c"),
    ],
    { lookMs: 1_000, endMs: 10_000 },
    context(),
  );
  expect(looks).toEqual([
    { about: "a", state: "bad", text: "Nothing answers there." },
    { about: "b", state: "bad", text: "The look failed; the worker's log says more." },
    { about: "c", state: "ok", text: "Well." },
  ]);
});

it("a look that never answers is told to stop and left behind, and the others are not kept waiting for ever", async () => {
  const told: boolean[] = [];
  const silent: LookWork = {
    about: "silent",
    look({ signal }) {
      signal.addEventListener("abort", () => told.push(true));
      return forEver();
    },
  };
  const looks = await inTurns(
    [...Array.from({ length: 16 }, () => silent), well("last")],
    { lookMs: 20, endMs: 45 },
    context(),
  );
  expect(told).toHaveLength(looks.filter(({ text }) => text.startsWith("No answer within 0.02 s.")).length);
  expect(looks).toHaveLength(17);
  expect(looks.find(({ about }) => about === "last")).toBeDefined();
});

it("what is not begun in time is said not to have been looked at", async () => {
  expect(await inTurns([well("late")], { lookMs: 20, endMs: 10 }, context())).toMatchObject([
    { about: "late", state: "warn", text: expect.stringMatching(/^Nobody looked/) },
  ]);
});

it("whoever stops the worker stops the looks", async () => {
  await expect(inTurns([well("a")], { lookMs: 20, endMs: 100 }, context(AbortSignal.abort()))).rejects.toThrow();
});
