import { isDeepStrictEqual, parseEnv } from "node:util";
import { parse } from "yaml";

export type FormatName = "dotenv" | "json" | "yaml" | "raw";

/** A file of one format as others wrote it, and how the application reads it: by a reader that is not rekey's. */
export interface Layout {
  readonly keys: Readonly<Record<string, string>>;
  readonly before: string;
  read(text: string): Readonly<Record<string, unknown>>;
  /** The same file after somebody changed one of our keys. */
  withOurs(text: string, key: string, value: string): string;
  /** The same file after somebody changed what is not ours; absent where everything is. */
  withForeign?(text: string): string;
  readonly malformed?: string;
}

const nested = (value: unknown): Readonly<Record<string, unknown>> => {
  const { db, ...rest } = (value ?? {}) as { readonly db?: Readonly<Record<string, unknown>> };
  const inner = Object.entries(db ?? {}).map(([key, each]) => [`db.${key}`, each] as const);
  return { ...rest, ...Object.fromEntries(inner) };
};

function edited(text: string, key: string, value: string): string {
  const content = JSON.parse(text) as { db?: Record<string, unknown> };
  const [, name = ""] = key.split(".");
  return `${JSON.stringify({ ...content, db: { ...content.db, [name]: value } }, null, 2)}\n`;
}

const lines = (text: string, key: string, value: string, between: string): string => {
  const name = key.split(".").at(-1) ?? key;
  const line = new RegExp(`^(\\s*)${name}${between}.*$`, "m");
  if (line.test(text)) return text.replace(line, `$1${name}${between}${value}`);
  return between === "=" ? `${text}${name}=${value}\n` : text.replace("db:\n", `db:\n  ${name}${between}${value}\n`);
};

export const layouts: Readonly<Record<FormatName, Layout>> = {
  dotenv: {
    keys: { DB_USER: "username", DB_PASSWORD: "password" },
    before: "# orders\nexport MODE='live'\n\nREGION=north # not south\n",
    read: parseEnv,
    withOurs: (text, key, value) => lines(text, key, value, "="),
    withForeign: (text) => text.replace("REGION=north", "REGION=by-hand"),
    malformed: 'DB_PASSWORD="never closed\n',
  },
  json: {
    keys: { "db.user": "username", "db.password": "password" },
    before: '{\n  "mode": "live",\n  "db": { "host": "db.internal", "pool": 10 },\n  "regions": ["north"]\n}\n',
    read: (text) => (text === "" ? {} : nested(JSON.parse(text))),
    withOurs: edited,
    withForeign: (text) => text.replace("north", "by-hand"),
    malformed: '{ "db": {',
  },
  yaml: {
    keys: { "db.user": "username", "db.password": "password" },
    before: "# orders\nmode: live\ndb:\n  host: db.internal # the primary\n  pool: 10\nregions:\n  - north\n",
    read: (text) => nested(parse(text)),
    withOurs: (text, key, value) => lines(text, key, value, ": "),
    withForeign: (text) => text.replace("- north", "- by-hand"),
    malformed: "db: [never closed\n",
  },
  raw: {
    keys: { value: "password" },
    before: "",
    read: (text) => (text === "" ? {} : { value: text }),
    withOurs: (_text, _key, value) => value,
  },
};

/** All that is not ours, as its readers see it, and the comments beside it. */
export function foreignIn(layout: Layout, text: string): unknown {
  const others = Object.entries(layout.read(text)).filter(([key]) => !(key in layout.keys));
  return { others, comments: text.match(/#.*$/gm)?.filter((comment) => !isDeepStrictEqual(comment, "#")) ?? [] };
}
