import { AwsFault } from "./fault.ts";

/** The fields of a request of the query protocol, each read by its name. */
export class Query {
  readonly #fields: URLSearchParams;
  constructor(body: string) {
    this.#fields = new URLSearchParams(body);
  }

  optional(name: string): string | undefined {
    const value = this.#fields.get(name);
    return value === null ? undefined : value;
  }

  required(name: string): string {
    const value = this.optional(name);
    if (value !== undefined && value !== "") return value;
    throw invalid(
      `1 validation error detected: Value null at '${name}' failed to satisfy constraint: must not be null`,
    );
  }

  number(name: string, least: number, most: number): number | undefined {
    const text = this.optional(name);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw invalid(`1 validation error detected: Value '${text}' at '${name}' is not from ${least} to ${most}`);
  }

  /** A list comes as `Name.member.1`, `Name.member.2` and so on. */
  list(name: string): readonly string[] {
    const values: string[] = [];
    for (;;) {
      const value = this.optional(`${name}.member.${values.length + 1}`);
      if (value === undefined) return values;
      values.push(value);
    }
  }

  /** `Tags.member.1.Key` with its `Value`, which may be empty. */
  pairs(name: string): readonly (readonly [string, string])[] {
    const pairs: (readonly [string, string])[] = [];
    for (;;) {
      const at = `${name}.member.${pairs.length + 1}`;
      const key = this.optional(`${at}.Key`);
      if (key === undefined) return pairs;
      pairs.push([key, this.optional(`${at}.Value`) ?? ""]);
    }
  }
}

export function invalid(message: string): AwsFault {
  return new AwsFault("ValidationError", 400, message);
}

/**
 * One page of a list. IAM may answer with fewer than were asked for, so the marker decides and not the number.
 * https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAccessKeys.html#API_ListAccessKeys_RequestParameters
 */
export function page<T>(query: Query, all: readonly T[], pageSize: number, idOf: (one: T) => string) {
  const marker = query.optional("Marker");
  const most = Math.min(query.number("MaxItems", 1, 1000) ?? 100, pageSize);
  const sorted = all.toSorted((one, other) => (idOf(one) < idOf(other) ? -1 : 1));
  const rest = marker === undefined ? sorted : sorted.filter((one) => idOf(one) > fromMarker(marker));
  const items = rest.slice(0, most);
  const last = items.at(-1);
  const isTruncated = rest.length > items.length && last !== undefined;
  return { items, IsTruncated: isTruncated, Marker: isTruncated ? toMarker(idOf(last)) : undefined };
}

const toMarker = (id: string): string => Buffer.from(id).toString("base64url");
const fromMarker = (marker: string): string => Buffer.from(marker, "base64url").toString();
