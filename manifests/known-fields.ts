import { z } from "zod";

interface Shape {
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly additionalProperties?: Shape | boolean;
  readonly items?: Shape;
  readonly anyOf?: readonly Shape[];
  readonly oneOf?: readonly Shape[];
  readonly allOf?: readonly Shape[];
}

/** Which fields the object at a path may have, for "did you mean". Empty where the schema leaves that open. */
export function knownFields(schema: z.ZodType): (path: readonly PropertyKey[]) => readonly string[] {
  const root = z.toJSONSchema(schema, { io: "input", unrepresentable: "any", reused: "inline" }) as Shape;
  return (path) => {
    let shapes = branches(root);
    for (const part of path) shapes = shapes.flatMap((shape) => step(shape, part)).flatMap(branches);
    return [...new Set(shapes.flatMap(({ properties }) => Object.keys(properties ?? {})))];
  };
}

function branches(shape: Shape): readonly Shape[] {
  const inner = [...(shape.anyOf ?? []), ...(shape.oneOf ?? []), ...(shape.allOf ?? [])];
  return [shape, ...inner.flatMap(branches)];
}

function step({ properties, additionalProperties, items }: Shape, part: PropertyKey): readonly Shape[] {
  if (typeof part === "number") return items === undefined ? [] : [items];
  const named = properties?.[String(part)];
  if (named !== undefined) return [named];
  return typeof additionalProperties === "object" ? [additionalProperties] : [];
}
