import { describeQueue } from "./contract.ts";
import { startServer } from "./server.ts";

describeQueue("EmbeddedJobQueue", startServer);
