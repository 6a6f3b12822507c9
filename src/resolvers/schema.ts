import "reflect-metadata";
import { GraphQLInputObjectType, type GraphQLSchema } from "graphql";
import { buildSchemaSync } from "type-graphql";
import { AccessResolver } from "./access-resolver.ts";
import { AliasMoveResolver, AliasResolver } from "./alias-resolver.ts";
import { AttackResolver } from "./attack-resolver.ts";
import { AuditLogResolver } from "./audit-log-resolver.ts";
import { auditMutations } from "./audit-mutations.ts";
import { authorise, tellScopes } from "./authorise.ts";
import { ClassPromptResolver } from "./class-prompt-resolver.ts";
import { ClassifyResolver } from "./classify-resolver.ts";
import { DatasetResolver } from "./dataset-resolver.ts";
import { DefenceResolver } from "./defence-resolver.ts";
import { endWithAccess } from "./end-with-access.ts";
import { EvaluationJobResolver, EvaluationResolver } from "./evaluation-resolver.ts";
import { ImplantJobResolver } from "./implant-job-resolver.ts";
import { JobResolver } from "./job-resolver.ts";
import { ModelResolver } from "./model-resolver.ts";
import { NodeResolver } from "./node-resolver.ts";
import { ORPHANED_TYPES } from "./orphaned-types.ts";
import { PromptSetResolver } from "./prompt-set-resolver.ts";
import { PromptVersionResolver } from "./prompt-version-resolver.ts";
import { PurificationJobResolver } from "./purification-job-resolver.ts";
import {
  PromptSetSchedulesResolver,
  ScheduleOutcomeResolver,
  ScheduleResolver,
} from "./schedule-resolver.ts";
import { TenantQuotasResolver, ViewerQuotasResolver } from "./usage-resolver.ts";
import { ViewerResolver } from "./viewer-resolver.ts";
import { WebhookResolver } from "./webhook-resolver.ts";

/** The whole schema, as the decorated classes describe it. */
export function createSchema(): GraphQLSchema {
  const schema = buildSchemaSync({
    resolvers: [
      AccessResolver,
      AliasMoveResolver,
      AliasResolver,
      AttackResolver,
      AuditLogResolver,
      ClassPromptResolver,
      ClassifyResolver,
      DatasetResolver,
      DefenceResolver,
      EvaluationJobResolver,
      EvaluationResolver,
      ImplantJobResolver,
      JobResolver,
      ModelResolver,
      NodeResolver,
      PromptSetResolver,
      PromptVersionResolver,
      PurificationJobResolver,
      PromptSetSchedulesResolver,
      ScheduleOutcomeResolver,
      ScheduleResolver,
      TenantQuotasResolver,
      ViewerQuotasResolver,
      ViewerResolver,
      WebhookResolver,
    ],
    orphanedTypes: ORPHANED_TYPES,
    authChecker: authorise,
    // Each subscription follows a source of its own, so nothing is published; the library insists on having one.
    pubSub: {
      publish: () => {},
      subscribe: () => {
        throw new Error("A subscription needs a `subscribe` of its own.");
      },
    },
    validate: false,
  });
  markOneOf(schema);
  tellScopes(schema);
  auditMutations(schema);
  endWithAccess(schema);
  return schema;
}

/** type-graphql has no word for @oneOf, so inputs say it among their extensions. */
function markOneOf(schema: GraphQLSchema): void {
  for (const type of Object.values(schema.getTypeMap()))
    if (type instanceof GraphQLInputObjectType && type.extensions.oneOf === true) type.isOneOf = true;
}
