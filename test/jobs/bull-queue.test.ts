import { describeWithRedis } from "../support/redis-server.ts";
import { startBullServer } from "./bull-server.ts";
import { describeQueue } from "./contract.ts";

describeWithRedis((redis) => {
  describeQueue("BullJobQueue with a worker", (folder, options) =>
    startBullServer(redis().url, folder, options),
  );
});
