import { literal, settingName } from "./quoting.ts";

/** Settings whose text is a list of quoted names. In a statement each name is a literal of its own. (`dumputils.c`) */
const lists = new Set([
  "local_preload_libraries",
  "search_path",
  "session_preload_libraries",
  "shared_preload_libraries",
  "temp_tablespaces",
  "unix_socket_directories",
]);

/** Ours to set, or no setting of a login at all. */
const notCopied = new Set(["role", "session_authorization"]);

export interface Setting {
  readonly name: string;
  readonly value: string;
}

/** Entries of the catalogue, `name=value`, as far as they are copied. */
export function settingsIn(entries: readonly string[]): readonly Setting[] {
  return entries
    .map((entry) => ({ name: entry.slice(0, entry.indexOf("=")), value: entry.slice(entry.indexOf("=") + 1) }))
    .filter(({ name }) => !notCopied.has(name.toLowerCase()));
}

/** `name = value` as it stands after SET, so that the catalogue gets the very text it came from. */
export function assignment({ name, value }: Setting): string {
  const text = lists.has(name.toLowerCase()) ? splitNames(value).map(literal).join(", ") : literal(value);
  return `${settingName(name)} = ${text}`;
}

/** `"$user", public` → its names, without their quotes. */
function splitNames(list: string): readonly string[] {
  const names = [...list.matchAll(/\s*(?:"((?:[^"]|"")*)"|([^",]+))\s*(?:,|$)/g)].map(
    ([, quoted, bare]) => quoted?.replaceAll('""', '"') ?? bare?.trim() ?? "",
  );
  return names.length === 0 ? [""] : names;
}
