import { sql, type Kysely, type RawBuilder, type Transaction } from "kysely";
import type { LabelCondition } from "../domain/labels.ts";
import { record, type Registering } from "./registry.ts";
import type { Tables } from "./tables.ts";

type Texts = Readonly<Record<string, string>>;

/** What people say of an object in their own words. */
export interface ObjectMetadata {
  readonly labels: Texts;
  readonly annotations: Texts;
}

export const noMetadata: ObjectMetadata = { labels: {}, annotations: {} };

/** Of those objects, by id, that have any. */
export async function findMetadata(
  db: Kysely<Tables>,
  ids: readonly string[],
): Promise<ReadonlyMap<string, ObjectMetadata>> {
  const { rows } = await sql<ObjectMetadata & { readonly id: string }>`
    SELECT object_id AS id, labels, annotations FROM object_metadata WHERE object_id = ANY(${[...ids]})`.execute(db);
  return new Map(rows.map(({ id, labels, annotations }) => [id, { labels, annotations }]));
}

export interface StoredMetadata extends ObjectMetadata {
  readonly id: string;
  /** What the audit trail calls the object's kind. */
  readonly noun: string;
}

/** `by`: absent where the audit row of the object itself has said it. */
export async function storeMetadata(
  trx: Transaction<Tables>,
  { id, noun, labels, annotations }: StoredMetadata,
  by: Registering | undefined,
): Promise<void> {
  await sql`
    INSERT INTO object_metadata (object_id, labels, annotations)
    VALUES (${id}, ${JSON.stringify(labels)}::jsonb, ${JSON.stringify(annotations)}::jsonb)
    ON CONFLICT (object_id) DO UPDATE SET labels = excluded.labels, annotations = excluded.annotations`.execute(trx);
  if (by !== undefined) await record(trx, noun, id, by);
}

/** Whether `labels`, which is never null, are those that a selector asks for; an empty one asks for nothing. */
export function labelsFit(labels: RawBuilder<unknown>, selector: readonly LabelCondition[]): RawBuilder<boolean> {
  if (selector.length === 0) return sql`true`;
  return sql`NOT EXISTS (
    SELECT FROM jsonb_to_recordset(${JSON.stringify(selector)}::jsonb) AS s (wants text, key text, value text)
    WHERE NOT CASE s.wants
      WHEN 'is' THEN coalesce(${labels} ->> s.key = s.value, false)
      WHEN 'is-not' THEN coalesce(${labels} ->> s.key <> s.value, true)
      WHEN 'has' THEN ${labels} ? s.key
      ELSE NOT ${labels} ? s.key END)`;
}
