import { typeidUnboxed } from "typeid-js";
import { idPrefixes, type IdKind } from "../domain/ids.ts";

/** A new id of that kind, sortable by the time it was made. */
export function newId(kind: IdKind): string {
  return typeidUnboxed(idPrefixes[kind]);
}
