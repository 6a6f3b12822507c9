/** Ends the process in good order on SIGTERM or Ctrl-C, and at once on the second. */
export function stopOnSignals(app: { close(): Promise<void> }): void {
  let stopping = false;
  const stop = async () => {
    // Whoever asks twice does not want to wait.
    if (stopping) process.exit(1);
    stopping = true;
    await app.close();
    process.exit(0);
  };
  process.on("SIGTERM", () => void stop());
  process.on("SIGINT", () => void stop());
}
