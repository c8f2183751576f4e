import type { ReceiptBody } from "./shape.ts";

/** `2026-11-30 09:12:41.123 UTC` */
export const timeText = (time: string): string => time.replace(/^(.{10})T(.{8})(\.\d{3})?\d*Z$/, "$1 $2$3 UTC");

/** `12.345 s`, and what is longer than a minute in hours, minutes and seconds too. */
export function durationText(seconds: number): string {
  const exact = `${seconds.toFixed(3)} s`;
  if (seconds < 60) return exact;
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor((seconds % 3_600) / 60)];
  return `${exact} (${hours === 0 ? "" : `${hours} h `}${minutes} min ${Math.floor(seconds % 60)} s)`;
}

/** `version 1`, `versions 1, 2` */
export const versionsText = (numbers: readonly number[]): string =>
  `version${numbers.length === 1 ? "" : "s"} ${numbers.join(", ")}`;

/** A token by what it was made for, since ids tell a reader nothing. Whole ids stand in "Who is who". */
export function whoIs({ actors }: Pick<ReceiptBody, "actors">, id: string): string {
  const found = actors.find((one) => one.id === id);
  if (found === undefined) return id;
  return found.description === ""
    ? `${id} (${found.role})`
    : `${found.description} (${found.role}, tok_…${id.slice(-6)})`;
}

/** What could move a cursor, turn a line round or hide in it is shown as its number. */
export const visible = (text: string): string =>
  text.replaceAll(/[\p{Cc}\p{Cf}\p{Co}\u2028\u2029]/gu, (found) =>
    found === "\n" ? found : `\\u{${(found.codePointAt(0) ?? 0).toString(16)}}`,
  );
