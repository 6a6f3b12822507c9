import { registerEnumType } from "type-graphql";
import type { QuotaWindow as WindowName } from "../services/quotas/quota.ts";

export const QuotaWindow = { DAY: "day", MONTH: "month" } as const satisfies Record<string, WindowName>;

registerEnumType(QuotaWindow, { name: "QuotaWindow", description: "A calendar day or month, in UTC." });
