import { catalogRules } from "./catalog-rules.ts";
import { fileRules } from "./file-rules.ts";
import { importRule } from "./import-rules.ts";
import { pageRule } from "./page-rules.ts";
import { placeRulesAsPrograms } from "./place-rules.ts";
import type { Rule } from "./source-file.ts";

/** Every rule of the code base that a program can check. */
export const rules: readonly Rule[] = [importRule, ...placeRulesAsPrograms, ...catalogRules, ...fileRules, pageRule];
