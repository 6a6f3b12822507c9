/** Entry of a session's worker thread: compiles the program that it is given and runs it. */
import { workerData } from "node:worker_threads";
import { nameThread } from "./name-thread.ts";
import { loadSession, type Session } from "./session.ts";
import { answerCalls } from "./worker-port.ts";
import type { SessionCall, SessionWorkerData } from "./worker-session.ts";

const { name, model, folder, options } = workerData as SessionWorkerData;
// Before there is a session: its threads get the name of this one.
nameThread("session");
let session: Promise<Session> | undefined;

answerCalls(async (payload) => {
  const call = payload as SessionCall;
  session ??= loadSession(name, model, folder, options);
  const opened = await session;
  if (call.kind === "run") return opened.run(call.feeds, call.fetches);
  if (call.kind === "close") return opened.close();
});
