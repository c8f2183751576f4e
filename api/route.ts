import { z } from "zod";

/** A route as data; who may call it says `access-table.ts`. Server, OpenAPI document and typed client are derived from it. */
export interface Route {
  readonly method: "GET" | "POST";
  /** Below `/api/v1`; `:name` for a parameter. */
  readonly path: string;
  readonly summary: string;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodObject;
  readonly response: z.ZodObject;
  /** Bytes, where a body may be less than the API's limit. */
  readonly bodyLimit?: number;
}

export const limit = z.coerce.number().int().min(1).max(500).default(100);
export const reference = z.string().min(1).max(200);
