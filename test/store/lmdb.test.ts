import { LmdbStore } from "../../src/store/lmdb.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { describeStore } from "./contract.ts";

describeStore("LmdbStore", () => LmdbStore.open(temporaryFolder()));
