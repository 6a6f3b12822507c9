import { registerEnumType } from "type-graphql";
import type { Scope as ScopeName } from "../services/access-records.ts";

/** Names cannot hold a colon in GraphQL; the values are the scopes as the access service knows them. */
export const Scope = {
  CLASSIFY: "classify",
  DATASETS_WRITE: "datasets:write",
  PROMPTS_WRITE: "prompts:write",
  ADMIN: "admin",
} as const satisfies Record<string, ScopeName>;

registerEnumType(Scope, {
  name: "Scope",
  description: "What a key may do beside reading its tenant's data.",
  valuesConfig: {
    CLASSIFY: { description: "classify." },
    DATASETS_WRITE: { description: "Create datasets and add examples." },
    PROMPTS_WRITE: { description: "Start, cancel and resume jobs; move aliases." },
    ADMIN: { description: "Register models; create tenants and keys, revoke keys." },
  },
});
