import { randomBytes } from "node:crypto";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { inDotenv, startSentinel } from "./sentinel.ts";

const newSecret = () => randomBytes(8).toString("hex");

/** A file with a login, and who lets it in: the secrets of `accepted`. */
async function place(...accepted: readonly string[]) {
  const folder = await mkdtemp(join(tmpdir(), "rk-sentinel-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "app.env");
  const put = async (secret: string) => {
    await writeFile(`${file}.new`, `SECRET=${secret}\n`);
    await rename(`${file}.new`, file);
  };
  await put(accepted[0] ?? "");
  const logsIn = async ({ SECRET: secret = "" }) => Promise.resolve(accepted.includes(secret) ? "accepted" : "refused");
  return { file, put, logsIn };
}

test("a login that lies in the file and is refused is noticed, and which one it was", async () => {
  const [first, second] = [newSecret(), newSecret()];
  const { file, put, logsIn } = await place(first);
  const sentinel = await startSentinel(inDotenv(file), logsIn);
  await put(second);
  await expect.poll(() => sentinel.report().troubles.length).toBeGreaterThan(0);
  const { troubles, held, logins } = await sentinel.close();
  expect(troubles[0]).toEqual({ code: "refused", held: 1 });
  expect(held).toEqual([{ SECRET: first }, { SECRET: second }]);
  expect(logins).toBeGreaterThan(0);
});

test("one that was replaced while it was on its way may be refused", async () => {
  const [first, second] = [newSecret(), newSecret()];
  const { file, put, logsIn } = await place(first, second);
  let isReplaced = false;
  const sentinel = await startSentinel(inDotenv(file), async (login) => {
    if (login["SECRET"] !== second || isReplaced) return logsIn(login);
    await put(first);
    isReplaced = true;
    return "refused";
  });
  await put(second);
  await expect.poll(() => sentinel.report().held.length).toBe(3);
  expect((await sentinel.close()).troubles).toEqual([]);
});
