import { AwsFault } from "./fault.ts";

/** The fields of a request in JSON, each read by its name and shape. */
export class JsonFields {
  readonly #fields: Readonly<Record<string, unknown>>;
  constructor(body: string) {
    this.#fields = JSON.parse(body) as Record<string, unknown>;
  }

  optional(name: string, least = 1, most = 2048): string | undefined {
    const value = this.#fields[name];
    if (value === undefined || value === null) return undefined;
    if (typeof value === "string" && value.length >= least && value.length <= most) return value;
    throw invalidField(name);
  }

  required(name: string, least = 1, most = 2048): string {
    const value = this.optional(name, least, most);
    if (value === undefined) throw invalidParameter(`You must provide a value for the ${name} parameter.`);
    return value;
  }

  number(name: string, least: number, most: number): number | undefined {
    const value = this.#fields[name];
    if (value === undefined || value === null) return undefined;
    if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return value;
    throw invalidField(name);
  }

  flag(name: string): boolean {
    const value = this.#fields[name] ?? false;
    if (typeof value === "boolean") return value;
    throw invalidField(name);
  }

  texts(name: string): readonly string[] | undefined {
    const value = this.#fields[name];
    if (value === undefined || value === null) return undefined;
    if (Array.isArray(value) && value.every((each) => typeof each === "string")) return value;
    throw invalidField(name);
  }

  tags(): ReadonlyMap<string, string> {
    const given = (this.#fields["Tags"] ?? []) as readonly { readonly Key?: unknown; readonly Value?: unknown }[];
    const tags = given.map(({ Key, Value }) => {
      if (typeof Key !== "string" || Key === "" || typeof Value !== "string") throw invalidField("Tags");
      return [Key, Value] as const;
    });
    return new Map(tags);
  }
}

/** https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html#API_PutSecretValue_Errors */
export function invalidParameter(message: string): AwsFault {
  return new AwsFault("InvalidParameterException", 400, message);
}

export function invalidRequest(message: string): AwsFault {
  return new AwsFault("InvalidRequestException", 400, message);
}

const invalidField = (name: string): AwsFault =>
  new AwsFault("ValidationException", 400, `1 validation error detected: ${name} failed to satisfy its constraint.`);
