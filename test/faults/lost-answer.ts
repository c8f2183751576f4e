import type { HttpCall, HttpProxy } from "../harness/proxy/http.ts";

/** A call of one case whose answer never comes, although it was done. */
export interface Loss {
  readonly at: "issuer" | "custody";
  /** What that call says, all of it; absent: each kind of call there loses its first answer. */
  readonly says?: readonly string[];
}

/** What a call says of itself, in its address, in the header by which AWS names its operations, and in its body. */
function textOf({ method, path, headers, body }: HttpCall): string {
  const target = headers["x-amz-target"];
  const isForm = headers["content-type"]?.startsWith("application/x-www-form-urlencoded") === true;
  return `${method} ${path} ${typeof target === "string" ? target : ""} ${isForm ? decodeURIComponent(body) : body}`;
}

/** Whether all of these parts stand in it. */
export const says = (call: HttpCall, parts: readonly string[]): boolean =>
  parts.every((part) => textOf(call).includes(part));

/** The operation, and which version's value it is about. */
function kindOf(text: string): string {
  const operation = /secretsmanager\.\w+|Action=\w+/.exec(text)?.[0] ?? text.split(" ", 2).join(" ");
  return `${operation} ${/\/(\d+)\/version/.exec(text)?.[1] ?? ""}`;
}

/** Loses answers to calls that name `whose`. How many it has lost by now. */
export function loseAnswers(proxy: HttpProxy, whose: string, loss: Loss): () => number {
  const kinds = new Set<string>();
  const isMeant = (call: HttpCall): boolean => {
    if (!says(call, [whose])) return false;
    if (loss.says !== undefined) return says(call, loss.says);
    const kind = kindOf(textOf(call));
    const isFirst = !kinds.has(kind);
    kinds.add(kind);
    return isFirst;
  };
  const before = proxy.calls.length;
  void proxy.meet(isMeant, { do: "lose-answer" }, loss.says === undefined ? Infinity : 1);
  return () => proxy.calls.slice(before).filter((call) => call.met === "lose-answer" && says(call, [whose])).length;
}
