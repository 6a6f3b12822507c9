// A server that runs jobs until it is killed. Arguments: the compiled queue, its folder, a file
// that the job waits for when it is half done, a job to go on with.
const [module, folder, until, known] = process.argv.slice(2);
const { EmbeddedJobQueue } = await import(module);
const { LmdbStore } = await import(new URL("../store/lmdb.js", module).href);

const print = (facts, message) => {
  if ("pid" in facts) console.log(`pid ${facts.pid}`);
  if ("stack" in facts) console.error(message, facts);
};
const store = await LmdbStore.open(`${folder}/store`);
const queue = new EmbeddedJobQueue({
  store,
  folder: `${folder}/jobs`,
  device: "cpu",
  threads: 1,
  handlersModule: new URL("fixture-handlers.mjs", import.meta.url),
  complete: async (job, result) => ({ result, writes: [{ kind: "put", key: `results/${job.id}`, value: result }] }),
  logger: { info: print, warn: print, error: print },
});
const spec = { steps: 100, every: 4, pause: 3, end: { how: "wait", at: 50, until } };
const id = known || (await queue.enqueue("acme", "purify", spec)).id;
console.log(`job ${id}`);
await queue.start();
