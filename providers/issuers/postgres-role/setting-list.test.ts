import { expect, test } from "vitest";
import { assignment, settingsIn } from "./setting-list.ts";

test("a list of names becomes one literal for each", () => {
  const set = (value: string) => assignment({ name: "search_path", value });
  expect(set('"$user", public')).toBe(`"search_path" = '$user', 'public'`);
  expect(set('"we""ird, one", b')).toBe(`"search_path" = 'we"ird, one', 'b'`);
  expect(set('""')).toBe(`"search_path" = ''`);
  expect(set("")).toBe(`"search_path" = ''`);
});

test("any other setting is one literal, commas or not", () => {
  expect(assignment({ name: "DateStyle", value: "ISO, DMY" })).toBe(`"DateStyle" = 'ISO, DMY'`);
  expect(assignment({ name: "app.tenant", value: "it's" })).toBe(`"app"."tenant" = 'it''s'`);
});

test("the role that sessions work as is ours to set and is not copied", () => {
  expect(settingsIn(["role=owner", "work_mem=64MB", "app.filter=a=b"])).toEqual([
    { name: "work_mem", value: "64MB" },
    { name: "app.filter", value: "a=b" },
  ]);
});
