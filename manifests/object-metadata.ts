import { z } from "zod";
import { isLabelKey, isLabelValue, labelKeyText, labelValueText } from "../domain/labels.ts";
import { noMetadata, storeMetadata, type ObjectMetadata } from "../ledger/object-metadata.ts";
import { changesBetween } from "./changes.ts";
import type { PlannedItem } from "./planning.ts";

const mostLabels = 64;
const longestAnnotation = 4_096;

const few = [(given: object) => Object.keys(given).length <= mostLabels, `must be ${mostLabels} at most`] as const;
const isKeys = [(given: object) => Object.keys(given).every(isLabelKey), labelKeyText] as const;

/** `metadata.labels` and `metadata.annotations`, by the rules of kubectl. */
export const metadataFields = {
  labels: z
    .record(z.string(), z.string().refine(isLabelValue, labelValueText))
    .refine(...isKeys)
    .refine(...few)
    .optional(),
  annotations: z
    .record(z.string(), z.string().max(longestAnnotation, `must be ${longestAnnotation} characters at most`))
    .refine(...isKeys)
    .refine(...few)
    .optional(),
};

type Given = { readonly [K in keyof ObjectMetadata]?: ObjectMetadata[K] | undefined };

export const metadataOf = ({ labels = {}, annotations = {} }: Given): ObjectMetadata => ({ labels, annotations });

/** As a manifest says it: what is empty is left out. */
export function showMetadata({ labels, annotations }: ObjectMetadata): Given {
  return {
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
  };
}

/** The plan of an object with what changes of its metadata, which changes nothing else of it. */
export function withMetadata(
  item: PlannedItem,
  before: ObjectMetadata | undefined,
  after: ObjectMetadata,
): PlannedItem {
  const changes = changesBetween({ metadata: before ?? noMetadata }, { metadata: after });
  if (changes.length === 0) return item;
  return {
    ...item,
    action: item.action === "unchanged" ? "change" : item.action,
    changes: [...changes, ...item.changes],
    async store(trx, by) {
      if (item.action !== "unchanged") await item.store(trx, by);
      const noun = item.kind.toLowerCase();
      await storeMetadata(trx, { id: item.id, noun, ...after }, item.action === "unchanged" ? by : undefined);
    },
  };
}
