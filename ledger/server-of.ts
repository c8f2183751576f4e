import { sql, type RawBuilder } from "kysely";

/**
 * What a rotation's logins are filed under: the server that connection `n` leads to or, while nobody has seen the server
 * behind a new address, the connection itself. Never both for one connection: its own rotations stay apart either way.
 */
export const serverOf: RawBuilder<string> = sql<string>`coalesce(n.identity, 'connection:' || n.id)`;
