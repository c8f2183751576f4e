import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { besideOwn, enterOwnBackend, whileArriving } from "./own-backends.ts";

const here = { host: "db.internal", port: 5432 };
const elsewhere = { host: "db.internal", port: 5433 };

function login(address: typeof here) {
  const wire = new EventEmitter();
  enterOwnBackend(address, wire);
  return {
    accept: (processID: number) => wire.emit("backendKeyData", { processID }),
    leave: () => wire.emit("end"),
  };
}

test("a login is ours for as long as it is open, at its own address only", async () => {
  const one = login(here);
  one.accept(7);
  const look = () => Promise.resolve("seen");
  expect((await besideOwn(here, look)).seen).toBe("seen");
  expect((await besideOwn(here, look)).isOwn(7)).toBe(true);
  expect((await besideOwn(here, look)).isOwn(8)).toBe(false);
  expect((await besideOwn(elsewhere, look)).isOwn(7)).toBe(false);
  one.leave();
  expect((await besideOwn(here, look)).isOwn(7), "its number may be anybody's now").toBe(false);
});

test("a login that the server showed before it told us is ours", async () => {
  const one = login(here);
  const accepted = Promise.withResolvers<void>();
  const arriving = whileArriving(here, accepted.promise);
  const looking = besideOwn(here, () => Promise.resolve([9]));
  setImmediate(() => {
    one.accept(9);
    accepted.resolve();
  });
  const { isOwn } = await looking;
  expect(isOwn(9)).toBe(true);
  await arriving;
  one.leave();
});

test("a login that came and went while we looked is ours", async () => {
  const { isOwn } = await besideOwn(here, () => {
    const one = login(here);
    one.accept(11);
    one.leave();
    return Promise.resolve();
  });
  expect(isOwn(11)).toBe(true);
});

test("a login elsewhere that hangs holds nobody up, and one that fails here is no trouble", async () => {
  const never = whileArriving(elsewhere, new Promise<void>(() => undefined));
  const failing = whileArriving(here, Promise.reject(new Error("refused"))).catch(() => "failed");
  expect((await besideOwn(here, () => Promise.resolve())).isOwn(1)).toBe(false);
  expect(await failing).toBe("failed");
  expect(never).toBeInstanceOf(Promise);
});
