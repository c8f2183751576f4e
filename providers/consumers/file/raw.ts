import type { Format } from "./format.ts";

const lineEnd = /\r?\n$/;

/** One line end behind a value belongs to the file: editors put it there, and who reads such a file takes it off. */
export const withoutLineEnd = (text: string): string => text.replace(lineEnd, "");

/** The whole file is the one value. */
export const raw: Format = {
  read: (text, keys) => Object.fromEntries(keys.map((key) => [key, withoutLineEnd(text)])),
  write(text, entries) {
    const value = Object.values(entries)[0] ?? "";
    return lineEnd.test(value) ? value : value + (lineEnd.exec(text ?? "")?.[0] ?? "");
  },
  foreign: () => undefined,
};
