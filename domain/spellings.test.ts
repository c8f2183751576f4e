import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { spellingsOf } from "./spellings.ts";

const base64 = (text: string) => Buffer.from(text, "utf8").toString("base64");
const base64url = (text: string) => Buffer.from(text, "utf8").toString("base64url");
const json = (content: unknown) => JSON.stringify(content);
const percent = encodeURIComponent;

/** How a secret is found, whatever its characters are. */
const anywhere: Readonly<Record<string, (secret: string) => string>> = {
  "as it is": (secret) => secret,
  "with white space around it": (secret) => `\t ${secret} \r`,
  "as a string of JSON": json,
  "as a member of JSON": (secret) => `  "password": ${json(secret)},`,
  "in one line of JSON": (secret) => json({ user: "orders", password: secret, port: 5432 }),
  "in a line of a dotenv file": (secret) => `DB_PASSWORD=${secret}`,
  "in a line of a dotenv file, exported and quoted as JSON": (secret) => `export DB_PASSWORD=${json(secret)}`,
  "in a line of YAML": (secret) => `    db-password: ${json(secret)}`,
  "in a URL": (secret) => `postgres://orders:${percent(secret)}@db.internal:5432/orders?sslmode=require`,
  "in a URL in a sentence": (secret) => `use "postgres://orders:${percent(secret)}@db/orders", thanks.`,
  "in a URL of a dotenv file": (secret) => `DATABASE_URL=postgres://orders:${percent(secret)}@db.internal/orders`,
  "in the query of a URL": (secret) => `https://api.internal/v1?user=orders&password=${percent(secret)}&x=1`,
  "in base64": base64,
  "in base64url": base64url,
  "in base64 as a Kubernetes Secret has it": (secret) => `  DB_PASSWORD: ${base64(secret)}`,
  "in base64, with the user's name": (secret) => base64(`orders:${secret}`),
  "in a header": (secret) => `Authorization: Basic ${base64(`orders:${secret}`)}`,
  "in a URL in base64 in JSON": (secret) => json({ url: base64(`postgres://o:${percent(secret)}@db/o`) }),
  "after a user's name": (secret) => `orders:${secret}`,
  "as pgpass has it": (secret) => `db.internal:5432:orders:orders_a:${secret}`,
};

/** Where a character of its own would end it, so that only others are in it. */
const plainWords: Readonly<Record<string, (secret: string) => string>> = {
  "in single quotes of SQL": (secret) => `ALTER ROLE orders_a PASSWORD '${secret}';`,
  "in single quotes of a shell": (secret) => `PGPASSWORD='${secret}' psql -h db`,
  "in a command": (secret) => `PGPASSWORD=${secret} psql -h db -U orders_a`,
  "as an option": (secret) => `mysql --password=${secret} -h db`,
  "as an option without a space": (secret) => `mysql -u orders -p${secret}`,
  "as a word of a sentence": (secret) => `I had to use ${secret}, sorry.`,
  "in XML": (secret) => `<password>${secret}</password>`,
  "in curly quotes of a chat": (secret) => `\u201c${secret}\u201d`,
  "in a log line": (secret) => `2027-01-01T00:00:00Z ERROR login failed (user=orders password=${secret})`,
};

const isOneLine = (text: string) => !/[\r\n\u0085\u2028\u2029]/u.test(text) && text.trim() === text;
const anySecret = fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 }).filter(isOneLine);
const wordSecret = fc.stringMatching(/^[A-HJ-NP-Za-km-z2-9]{6,60}$/);

describe("a secret is found", () => {
  it.each(Object.entries(anywhere))("%s", (_, written) => {
    fc.assert(fc.property(anySecret, (secret) => spellingsOf(written(secret)).includes(secret)));
  });

  it.each(Object.entries(plainWords))("%s", (_, written) => {
    fc.assert(fc.property(wordSecret, (secret) => spellingsOf(written(secret)).includes(secret)));
  });

  it("in a URL in which its own signs were left as they are", () => {
    for (const secret of ["p@ss", "a:b", "x/y@z", "50%off"])
      expect(spellingsOf(`postgres://orders:${secret}@db.internal/orders`)).toContain(secret);
  });

  it("with signs that a shell or HTML wrote differently", () => {
    expect(spellingsOf(String.raw`a\$b\"c`)).toContain('a$b"c');
    expect(spellingsOf("PASSWORD=a&amp;b&lt;c")).toContain("a&b<c");
    expect(spellingsOf("PASSWORD 'it''s'")).toContain("it's");
  });

  it("over several lines, as scanners report it", () => {
    expect(spellingsOf('{\n  "user": "orders",\n  "password": "s3cr3t-one"\n}')).toContain("s3cr3t-one");
  });
});

describe("spellings", () => {
  it("begin with the text itself, are each there once, and none is empty", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
        const found = spellingsOf(text);
        expect(found[0] ?? "").toBe(text);
        expect(new Set(found).size).toBe(found.length);
        expect(found).not.toContain("");
      }),
    );
  });

  it("are no short words of a sentence", () => {
    const found = spellingsOf("we sent it to Bob by mail");
    expect(found).toEqual(["we sent it to Bob by mail"]);
  });

  it("stay few for a long text, whatever it is made of", () => {
    const longest = 16_384;
    for (const piece of ["a:", "%41", "\\u0041", "QUJD", "a@b:c/", "x=y&", "'\"", "://@", "aaaaaa "])
      expect(spellingsOf(piece.repeat(longest / piece.length)).length).toBeLessThan(20_000);
  });
});
