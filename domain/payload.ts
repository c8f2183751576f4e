import { commandKinds } from "./command.ts";
import { codes } from "./errors.ts";
import { isId } from "./ids.ts";
import { orders, steps } from "./order.ts";

/** Every word that may travel through the orchestrator, besides ids. All of them are ours; none is a value. */
const words: ReadonlySet<string> = new Set<string>([
  ...["done", "wait", "again", "urgent", "undo", "over"],
  ...steps,
  ...Object.keys(orders),
  ...Object.values(orders).flat(),
  ...Object.keys(codes),
  ...commandKinds,
]);

/**
 * Whether something may stand in a workflow history: ids, numbers, booleans and our own words, alone or in plain records
 * and lists. Whatever else somebody tries to send by mistake is refused before it is written anywhere.
 */
export function isPayloadFit(value: unknown): boolean {
  switch (typeof value) {
    case "undefined":
    case "boolean":
      return true;
    case "number":
      return Number.isFinite(value);
    case "string":
      return isId(value) || words.has(value);
    case "object":
      if (value === null) return true;
      if (Array.isArray(value)) return value.every(isPayloadFit);
      if (Object.getPrototypeOf(value) !== Object.prototype) return false;
      return Object.entries(value).every(([name, part]) => /^[a-zA-Z]{1,32}$/.test(name) && isPayloadFit(part));
    default:
      return false;
  }
}
