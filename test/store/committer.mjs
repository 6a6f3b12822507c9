// Commits in a loop and prints each acknowledged number; it runs until it is killed. Arguments: module, folder.
const [module, folder] = process.argv.slice(2);
const { LmdbStore } = await import(module);
const store = await LmdbStore.open(folder);
for (;;) {
  const count = ((await store.get("count"))?.value ?? 0) + 1;
  await store.commit([
    { kind: "put", key: "count", value: count },
    { kind: "put", key: `numbers/${count}`, value: "x".repeat(count % 5000) },
    { kind: "append", stream: "counted", value: count },
  ]);
  process.stdout.write(`${count}\n`);
}
