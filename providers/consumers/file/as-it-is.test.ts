import { afterEach, describe, expect, it } from "vitest";
import { Secret } from "../../contract/secret.ts";
import type { Value } from "../../contract/value.ts";
import type { FileConfig } from "./config.ts";
import { randomText, startTrial, type Trial } from "./trial.ts";

let trial: Trial;
afterEach(async () => trial.end());

const valueOf = (password: string, url = "none", username = "orders_b"): Value => ({
  username,
  password: new Secret(password),
  url: new Secret(url),
});

async function opened(text: string, config: Partial<FileConfig>, name?: string) {
  trial = await startTrial(text, name);
  return trial.open({ config });
}

const at = (number: number, value: Value) => ({ version: number, number: { epoch: 1, number }, value });

describe("a dotenv file", () => {
  const config = { format: "dotenv", keys: { P: "password" } } as const;

  it.each([
    ["P='pa\\ss'\n", "pa\\ss"],
    ['P="a\'b$c"\n', "a'b$c"],
    ["P=a'b$c\\ # mine\n", "a'b$c\\"],
    ['export P="plain"\r\n', "plain"],
    ['P=`it\'s "$5"`\n', 'it\'s "$5"'],
  ])("invariant 10: gets back what it held, byte by byte: %j", async (text, former) => {
    const session = await opened(text, config);
    expect((await session.observe()).holds(valueOf(former))).toBe(true);
    const candidate = valueOf(randomText());
    expect(await session.preflight([candidate, valueOf(former)])).toEqual([]);
    await session.deliver(at(1, candidate));
    expect((await session.observe()).holds(candidate)).toBe(true);
    await session.deliver(at(2, valueOf(former)));
    expect(await trial.text()).toBe(text);
  });

  it("invariant 16: a value of today that it has no form for is found before anything is written", async () => {
    const text = `P="a\\"b'c$"\n`;
    const session = await opened(text, config);
    const former = valueOf(`a"b'c$`);
    expect((await session.observe()).holds(former)).toBe(true);
    const found = await session.preflight([valueOf(randomText()), former]);
    expect(found).toMatchObject([{ code: "value_unfit" }]);
    expect(found[0]?.detail).toContain("put back by an undo");
    expect(found[0]?.detail).toContain("then retry");
    expect(await trial.text()).toBe(text);
  });

  it("invariant 16: a login whose name it has no form for is found before anything is issued", async () => {
    const session = await opened("U=orders_a\n", { format: "dotenv", keys: { U: "username" } });
    const candidate = valueOf(randomText(), "none", `orders "b" 'c' #1`);
    expect(await session.preflight([candidate])).toMatchObject([{ code: "value_unfit" }]);
  });
});

describe("a raw file", () => {
  const config = { format: "raw", keys: { value: "password" } } as const;

  it.each(["", "\n", "\r\n"])("holds its value before a line end, which stays: %j", async (end) => {
    const former = randomText();
    const session = await opened(former + end, config, "secret");
    const before = await session.observe();
    expect(before.holds(valueOf(former))).toBe(true);
    expect(before.holds(valueOf(`${former}x`))).toBe(false);
    const candidate = randomText();
    await session.deliver({ ...at(1, valueOf(candidate)), expected: before.digest });
    expect(await trial.text()).toBe(candidate + end);
    expect((await session.observe()).holds(valueOf(candidate))).toBe(true);
  });

  it("is empty with nothing but a line end, and does not hold a value behind two", async () => {
    const session = await opened("\n", config, "secret");
    expect((await session.observe()).isEmpty).toBe(true);
    const text = randomText();
    await trial.end();
    const other = await opened(`${text}\n\n`, config, "secret");
    expect((await other.observe()).holds(valueOf(text))).toBe(false);
  });
});

describe("a URL", () => {
  const config = { format: "dotenv", keys: { DATABASE_URL: "url" } } as const;
  const url = (user: string, password: string) => `postgresql://${user}:${password}@db.example:5432/orders`;

  it("keeps the application's parameters and its spelling of the scheme", async () => {
    const [one, two] = [randomText(), randomText()];
    const text = `DATABASE_URL='postgres://a:${one}@DB.example/orders?sslmode=require&application_name=shop'\n`;
    const session = await opened(text, config);
    const before = await session.observe();
    expect(before.holds(valueOf(one, url("a", one)))).toBe(true);
    expect(before.holds(valueOf(two, url("a", two)))).toBe(false);
    expect(before.holds(valueOf(one, url("b", one)))).toBe(false);
    expect(before.holds(valueOf(one, url("a", one).replace("/orders", "/other")))).toBe(false);
    expect(before.holds(valueOf(one, url("a", one).replace("5432", "5433")))).toBe(false);
    const candidate = valueOf(two, url("b", two));
    await session.deliver({ ...at(1, candidate), expected: before.digest });
    expect(await trial.text()).toBe(
      `DATABASE_URL='postgres://b:${two}@db.example:5432/orders?sslmode=require&application_name=shop'\n`,
    );
    expect((await session.observe()).holds(candidate)).toBe(true);
  });

  it.each(["password=other", "user=other", "host=elsewhere"])(
    "invariant 12: with %s behind it, it leads elsewhere and is somebody else's",
    async (parameter) => {
      const one = randomText();
      const session = await opened(`DATABASE_URL='${url("a", one)}?${parameter}'\n`, config);
      expect((await session.observe()).holds(valueOf(one, url("a", one)))).toBe(false);
    },
  );

  it("is only looked into where the field is one: a password that looks like a URL is compared as it is", async () => {
    const one = randomText();
    const session = await opened(`P='${url("a", one)}?x=1'\n`, { format: "dotenv", keys: { P: "password" } });
    expect((await session.observe()).holds(valueOf(url("a", one)))).toBe(false);
  });
});
