import { Arg, Authorized, Ctx, FieldResolver, ID, Int, Mutation, Query, Resolver, Root } from "type-graphql";
import type { Context } from "../context.ts";
import { Webhook } from "../models/webhook.ts";
import { WebhookDelivery } from "../models/webhook-delivery.ts";
import { WebhookDeliveryConnection } from "../models/webhook-delivery-connection.ts";
import type { WebhookDeliveryStatus } from "../models/webhook-delivery-status.ts";
import { WebhookEvent } from "../models/webhook-event.ts";
import { WebhookPayload } from "../models/webhook-payload.ts";
import { WebhookTestPayload } from "../models/webhook-test-payload.ts";
import type { DeliveryRecord, WebhookEvent as EventName } from "../services/webhooks/records.ts";
import { NeedsScope } from "./authorise.ts";
import { localId, requireId } from "./identifiers.ts";
import { identifierCursor, pageSize } from "./page-size.ts";
import { payload } from "./user-errors.ts";
import { make, viewWebhook } from "./views.ts";

@Resolver(() => Webhook)
export class WebhookResolver {
  @Authorized()
  @Query(() => [Webhook], { description: "At most 20." })
  async webhooks(@Ctx() { tenant }: Context): Promise<Webhook[]> {
    return (await tenant.webhooks.list()).map(viewWebhook);
  }

  @NeedsScope("prompts:write")
  @Mutation(() => WebhookPayload, {
    description:
      "Has a URL told of events from now on. It begins with https:// and stands for no private address, unless the operator allows its host.",
  })
  createWebhook(
    @Arg("url", () => String) url: string,
    @Arg("events", () => [WebhookEvent]) events: EventName[],
    @Arg("secret", () => String, {
      nullable: true,
      description:
        "`whsec_` and the base64 of 24 to 64 bytes; by default one is made and answered this once.",
    })
    secret: string | undefined,
    @Ctx() { tenant }: Context,
  ): Promise<WebhookPayload> {
    return payload(async () => {
      const record = await tenant.webhooks.create(url, events, secret ?? undefined);
      return { webhook: viewWebhook(record), secret: secret == null ? record.secret : undefined };
    });
  }

  @NeedsScope("prompts:write")
  @Mutation(() => WebhookPayload, {
    description: "Deletes it with its log; what is on its way is not sent any more.",
  })
  deleteWebhook(@Arg("id", () => ID) id: string, @Ctx() { tenant }: Context): Promise<WebhookPayload> {
    return payload(async () => ({
      webhook: viewWebhook(await tenant.webhooks.remove(requireId("webhook", id, "id"))),
    }));
  }

  @NeedsScope("prompts:write")
  @Mutation(() => WebhookPayload, { description: "Sends to it again after too many failures disabled it." })
  enableWebhook(@Arg("id", () => ID) id: string, @Ctx() { tenant }: Context): Promise<WebhookPayload> {
    return payload(async () => ({
      webhook: viewWebhook(await tenant.webhooks.enable(requireId("webhook", id, "id"))),
    }));
  }

  @NeedsScope("prompts:write")
  @Mutation(() => WebhookTestPayload, {
    description: "Sends the event webhook.test, once. OVERLOADED while ten others wait to be sent.",
  })
  testWebhook(@Arg("id", () => ID) id: string, @Ctx() { tenant }: Context): Promise<WebhookTestPayload> {
    return payload(async () => ({
      delivery: viewDelivery(await tenant.webhooks.test(requireId("webhook", id, "id"))),
    }));
  }

  @FieldResolver(() => WebhookDeliveryConnection)
  async deliveries(
    @Root() { id }: Webhook,
    @Arg("first", () => Int, { nullable: true, defaultValue: 20 }) first: number,
    @Arg("after", () => String, { nullable: true }) after: string | undefined,
    @Ctx() { tenant }: Context,
  ): Promise<WebhookDeliveryConnection> {
    const before = identifierCursor(after);
    const { deliveries, hasMore } = await tenant.webhooks.deliveries(
      localId("webhook", id) ?? "",
      pageSize(first),
      before,
    );
    return {
      edges: deliveries.map((record) => ({ cursor: record.id, node: viewDelivery(record) })),
      pageInfo: {
        hasNextPage: hasMore,
        hasPreviousPage: before !== undefined,
        startCursor: deliveries[0]?.id,
        endCursor: deliveries.at(-1)?.id,
      },
    };
  }
}

const viewDelivery = ({ id, status, ...facts }: DeliveryRecord): WebhookDelivery =>
  make(WebhookDelivery, { ...facts, id: `msg_${id}`, status: status as WebhookDeliveryStatus });
