import { expect, test } from "vitest";
import { openClosers } from "./closers.ts";

test("everything is ended last first, although one does not want to", async () => {
  const ended: string[] = [];
  const closers = openClosers();
  closers.add(() => Promise.resolve(void ended.push("first")));
  closers.add(() => Promise.reject(new Error("stuck")));
  closers.add(() => Promise.resolve(void ended.push("third")));
  await expect(closers.close()).rejects.toThrow("stuck");
  expect(ended).toEqual(["third", "first"]);
});

test("what is still starting when all is ended is waited for and ended", async () => {
  const ended: string[] = [];
  const closers = openClosers();
  const { promise, resolve } = Promise.withResolvers<string>();
  void closers.begin(promise, (name) => Promise.resolve(void ended.push(name)));
  const closed = closers.close();
  expect(ended).toEqual([]);
  resolve("server");
  await closed;
  expect(ended).toEqual(["server"]);
});

test("what never started needs no end", async () => {
  const closers = openClosers();
  const start = closers.begin(Promise.reject(new Error("no port")), () => Promise.reject(new Error("not started")));
  await expect(start).rejects.toThrow("no port");
  await closers.close();
});

test("what comes while all is ending is ended with it, and what comes later by the next end", async () => {
  const ended: string[] = [];
  const late = (name: string) => () => Promise.resolve(void ended.push(name));
  const closers = openClosers();
  closers.add(() => {
    closers.add(late("during"));
    return Promise.resolve();
  });
  await closers.close();
  closers.add(late("after"));
  expect(ended).toEqual(["during"]);
  await closers.close();
  expect(ended).toEqual(["during", "after"]);
});
