/** What the bearer of a token is to rekey. What each may do is said per route, in the API's table of access. */
export const roles = {
  admin: "sets rekey up, and gives tokens to others",
  operator: "registers what is rotated, rotates it, and answers holds",
  responder: "rotates in an incident and answers holds; registers nothing",
  team: "an application's team; sees what is its own, asks for its consumers, decides about its credentials",
  auditor: "reads everything that is recorded, and changes nothing",
  metrics: "a program that collects figures",
} as const;

export type Role = keyof typeof roles;

export const roleNames = Object.keys(roles) as readonly Role[];
