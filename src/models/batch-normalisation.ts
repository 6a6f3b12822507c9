import { registerEnumType } from "type-graphql";

export enum BatchNormalisation {
  BATCH = "batch",
  FROZEN = "frozen",
}

registerEnumType(BatchNormalisation, {
  name: "BatchNormalisation",
  description: "How batch normalisation behaves while a model is trained.",
  valuesConfig: {
    BATCH: { description: "By the batch itself; the running statistics follow." },
    FROZEN: { description: "By the running statistics, which stay as they are." },
  },
});
