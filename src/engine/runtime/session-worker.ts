/** Entry of a session's worker thread: compiles the program that it is given and runs it. */
import { workerData } from "node:worker_threads";
import { giveWay, nameThread } from "./own-thread.ts";
import { loadSession, type Session } from "./session.ts";
import { answerCalls } from "./worker-port.ts";
import type { SessionCall, SessionWorkerData } from "./worker-session.ts";

const { program, options } = workerData as SessionWorkerData;
/**
 * A session takes every processor for as long as a run lasts. What comes in meanwhile is read, refused, and decoded for
 * the next run before it goes on: a weight of about a half.
 */
const NICENESS = 3;

// Before there is a session: its threads get what this one has.
nameThread("session");
giveWay(NICENESS);
let session: Promise<Session> | undefined;

answerCalls(async (payload) => {
  const call = payload as SessionCall;
  session ??= loadSession(program, options);
  const opened = await session;
  if (call.kind === "run") return opened.run(call.feeds, call.fetches);
  if (call.kind === "close") return opened.close();
});
