/** What a policy of Vault allows on one path, in its words. https://developer.hashicorp.com/vault/docs/concepts/policies */
export interface Right {
  readonly path: string;
  readonly capabilities: readonly ("create" | "read" | "update" | "patch" | "delete" | "list" | "sudo")[];
}

/** As it stands in a policy. */
export const stanzaOf = ({ path, capabilities }: Right): string =>
  `path "${path}" {\n  capabilities = [${capabilities.map((one) => `"${one}"`).join(", ")}]\n}`;

export const policyOf = (rights: readonly Right[]): string => `${rights.map(stanzaOf).join("\n")}\n`;

/** In a sentence: `read, patch secret/data/apps/orders`. */
export const wordsFor = ({ path, capabilities }: Right): string => `${capabilities.join(", ")} ${path}`;
