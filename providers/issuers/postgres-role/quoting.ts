import pg from "pg";
import { PermanentError } from "../../../domain/errors.ts";

// Utility statements (ALTER ROLE, GRANT, COMMENT) take no parameters, so that names and texts stand in them quoted.

/** A name as an SQL identifier. */
export function ident(name: string): string {
  assertQuotable(name);
  return pg.escapeIdentifier(name);
}

/** A text as an SQL literal, whatever `standard_conforming_strings` says. */
export function literal(text: string): string {
  assertQuotable(text);
  // Written out, since a statement may be shown in a terminal before it is pasted.
  if (/\p{Cc}/u.test(text)) return `E'${text.replaceAll(/['\\]/g, "\\$&").replaceAll(/\p{Cc}/gu, asEscape)}'`;
  return pg.escapeLiteral(text);
}

const asEscape = (control: string): string => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** A setting's name: an extension's has two parts, `extension.setting`. */
export function settingName(name: string): string {
  return name.split(".").map(ident).join(".");
}

function assertQuotable(text: string): void {
  // The protocol ends a statement at NUL, so that what follows would be lost without a word.
  if (text.includes("\0") || !text.isWellFormed())
    throw new PermanentError("value_unfit", "A name or text holds a character that PostgreSQL cannot store.");
}
