import { Arg, Authorized, Ctx, Int, Query, Resolver } from "type-graphql";
import type { Context } from "../context.ts";
import { AuditLogConnection } from "../models/audit-log-connection.ts";
import { AuditLogEntry } from "../models/audit-log-entry.ts";
import { AuditLogFilter } from "../models/audit-log-filter.ts";
import { AuditOutcome } from "../models/audit-outcome.ts";
import type { LoggedMutation } from "../services/audit-log.ts";
import { globalId, requireId } from "./identifiers.ts";
import { identifierCursor, pageSize } from "./page-size.ts";
import { tenantNamed } from "./tenant-named.ts";
import { make } from "./views.ts";

@Resolver()
export class AuditLogResolver {
  @Authorized()
  @Query(() => AuditLogConnection, { description: "Every mutation that a tenant's keys asked for." })
  async auditLog(
    @Arg("first", () => Int, { nullable: true, defaultValue: 20 }) first: number,
    @Arg("after", () => String, { nullable: true }) after: string | undefined,
    @Arg("filter", () => AuditLogFilter, { nullable: true }) filter: AuditLogFilter | undefined,
    @Ctx() context: Context,
  ): Promise<AuditLogConnection> {
    const { operation, keyId, touched, code, from, to } = filter ?? {};
    const before = identifierCursor(after);
    const { entries, next } = await context.server.auditLog.page(
      tenantNamed(filter?.tenant, context),
      pageSize(first),
      before,
      {
        operation: operation ?? undefined,
        keyId: keyId == null ? undefined : requireId("key", keyId, "filter", "keyId"),
        touched: touched ?? undefined,
        outcome: code ?? undefined,
        from: from ?? undefined,
        to: to ?? undefined,
      },
    );
    return {
      edges: entries.map((entry) => ({ cursor: entry.id, node: viewEntry(entry) })),
      pageInfo: {
        hasNextPage: next !== undefined,
        hasPreviousPage: before !== undefined,
        startCursor: entries[0]?.id,
        endCursor: next ?? entries.at(-1)?.id,
      },
    };
  }
}

const viewEntry = ({
  keyId,
  keyName,
  touched,
  touchedCount,
  outcome,
  ...facts
}: LoggedMutation): AuditLogEntry =>
  make(AuditLogEntry, {
    ...facts,
    keyId: globalId("key", keyId),
    key: keyName,
    touched: [...touched],
    touchedCount: touchedCount ?? touched.length,
    outcome:
      outcome === undefined
        ? AuditOutcome.UNKNOWN
        : outcome === "OK"
          ? AuditOutcome.DONE
          : AuditOutcome.REFUSED,
    code: outcome === "OK" ? undefined : outcome,
  });
