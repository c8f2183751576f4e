import type { Format } from "./format.ts";

/** The whole file is the one value, without a line end of its own. */
export const raw: Format = {
  read: (text, keys) => Object.fromEntries(keys.map((key) => [key, text])),
  write: (_text, entries) => Object.values(entries)[0] ?? "",
  foreign: () => undefined,
};
