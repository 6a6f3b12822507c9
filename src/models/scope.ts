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
    CLASSIFY: { description: "Classify images; see what triggers look like." },
    DATASETS_WRITE: { description: "Create, extend and delete datasets." },
    PROMPTS_WRITE: {
      description:
        "Start, cancel and resume jobs; import prompts, move aliases, schedule evaluations; be told by webhooks.",
    },
    ADMIN: {
      description: "What is everybody's: models; and what is the operator's: tenants, their keys and quotas.",
    },
  },
});
