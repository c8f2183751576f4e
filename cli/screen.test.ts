import { expect, test } from "vitest";
import { openScreen } from "./screen.ts";

function screenOf(columns: number, rows: number) {
  const written: string[] = [];
  const screen = openScreen({ columns, rows, write: (text: string | Uint8Array) => written.push(String(text)) > 0 });
  return { screen, written };
}

// oxlint-disable-next-line no-control-regex
const plain = (text = "") => text.replaceAll(/\u001b\[\d*[A-Z]|\r/g, "").split("\n");

test("what is longer than the terminal is high is cut, and says by how much", () => {
  const { screen, written } = screenOf(80, 10);
  screen.draw(Array.from({ length: 30 }, (_, line) => `line ${line}`));
  const lines = plain(written[0]).filter((line) => line !== "");
  expect(lines).toHaveLength(9);
  expect(lines.at(-1)).toBe("… 22 more lines");
});

test("what fits is drawn whole, where the former lines stood", () => {
  const { screen, written } = screenOf(24, 10);
  screen.draw(["one", "two"]);
  screen.draw([`three ${"x".repeat(40)}`]);
  expect(plain(written[0]).slice(0, 2)).toEqual(["one", "two"]);
  expect(written[1]).toContain("\u001b[2A");
  expect(plain(written[1])[0]).toHaveLength(23);
});
