import { z } from "zod";
import { connectionSchema, roleName } from "../config.ts";

/** What a person says of the server and of the login that they want under rekey. */
export const questionSchema = z.strictObject({
  /** The server itself, and the login to look with. */
  connection: connectionSchema,
  /** The ordinary login that the application has today. */
  role: roleName,
  /** The login that rekey is to work with. */
  admin: roleName.default("rekey_admin"),
  /** Where consumers connect to, when that is another address: a pooler's, say. */
  consumers: z
    .strictObject({ host: z.string().min(1).max(255), port: z.int().min(1).max(65_535).optional() })
    .optional(),
});
export type Question = z.infer<typeof questionSchema>;
