import type { TestApi } from "./api.ts";

export interface AppliedItem {
  readonly ref: string;
  readonly action: string;
  readonly changes: readonly { readonly field: string; readonly from: unknown; readonly to: unknown }[];
  readonly notes: readonly string[];
}

/** Plans manifests, says yes, and answers with what the plan was. `secrets`: by the document's place. */
export async function applyText(
  api: TestApi,
  text: string,
  secrets: Record<string, string> = {},
): Promise<readonly AppliedItem[]> {
  const body = { files: [{ name: "rekey.yaml", text, secrets }] };
  const planned = await api.ask("POST", "/manifests/apply", body);
  if (planned.status !== 200) throw new Error(planned.text);
  const applied = await api.ask("POST", "/manifests/apply", { ...body, planDigest: planned.json["digest"] });
  if (applied.status !== 200) throw new Error(applied.text);
  return planned.json["items"] as readonly AppliedItem[];
}
