import { registerEnumType } from "type-graphql";

export enum WebhookDeliveryStatus {
  PENDING = "PENDING",
  DELIVERED = "DELIVERED",
  FAILED = "FAILED",
}

registerEnumType(WebhookDeliveryStatus, {
  name: "WebhookDeliveryStatus",
  valuesConfig: {
    PENDING: { description: "It is attempted at nextAttemptAt." },
    DELIVERED: { description: "The receiver answered with a status from 200 to 299." },
    FAILED: { description: "No attempt is made any more." },
  },
});
