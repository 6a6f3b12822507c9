import { RedisStore } from "../../src/store/redis.ts";
import { describeWithRedis } from "../support/redis-server.ts";
import { describeStore } from "./contract.ts";

describeWithRedis((redis) => {
  describeStore("RedisStore", () =>
    RedisStore.open({ url: redis().url, prefix: "test", patienceMilliseconds: 10_000 }),
  );
});
