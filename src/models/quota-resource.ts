import { registerEnumType } from "type-graphql";
import type { Resource } from "../services/quotas/quota.ts";

export const QuotaResource = {
  REQUESTS: "requests",
  IMAGES: "images",
  COMPUTE_SECONDS: "computeSeconds",
  STORED_BYTES: "storedBytes",
} as const satisfies Record<string, Resource>;

registerEnumType(QuotaResource, {
  name: "QuotaResource",
  description: "What is counted, and can have a limit.",
  valuesConfig: {
    REQUESTS: { description: "GraphQL operations, over every transport." },
    IMAGES: { description: "Images that classify answers; rejected ones are not counted." },
    COMPUTE_SECONDS: { description: "Time for which jobs run." },
    STORED_BYTES: { description: "Images of datasets and artifacts of prompt versions." },
  },
});
