/** Labels as Kubernetes has them, so that those of a cluster can be taken over as they are. */

const namePart = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const prefixPart = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;

export const labelKeyText =
  "must have keys of letters, digits, '-', '_' and '.', 63 at most, beginning and ending with a letter or digit; before it may stand a domain and '/', such as example.com/tier";
export const labelValueText =
  "must be empty, or letters, digits, '-', '_' and '.', 63 at most, beginning and ending with a letter or digit";

export function isLabelKey(text: string): boolean {
  const parts = text.split("/");
  const [prefix, name] = parts.length === 1 ? [undefined, text] : parts;
  return parts.length <= 2 && namePart.test(name ?? "") && (prefix === undefined || prefixPart.test(prefix));
}

export const isLabelValue = (text: string): boolean => text === "" || namePart.test(text);

/** One condition on labels; all of a selector's have to hold. */
export interface LabelCondition {
  readonly wants: "is" | "is-not" | "has" | "has-not";
  readonly key: string;
  /** Empty where only the key counts. */
  readonly value: string;
}

/** `tier=gold,region!=eu,audited,!old`, as `kubectl -l` takes it; undefined when it is none. */
export function parseSelector(text: string): readonly LabelCondition[] | undefined {
  const conditions = text.split(",").map((part) => conditionOf(part.trim()));
  return conditions.some((one) => one === undefined)
    ? undefined
    : conditions.filter((one): one is LabelCondition => one !== undefined);
}

function conditionOf(text: string): LabelCondition | undefined {
  const [, key = "", sign, value = ""] = /^([^=!]+?)\s*(==?|!=)\s*(.*)$/.exec(text) ?? [];
  const condition: LabelCondition =
    sign === undefined
      ? { wants: text.startsWith("!") ? "has-not" : "has", key: text.replace(/^!\s*/, ""), value: "" }
      : { wants: sign === "!=" ? "is-not" : "is", key, value };
  return isLabelKey(condition.key) && isLabelValue(condition.value) ? condition : undefined;
}
