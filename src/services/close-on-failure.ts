type Close = () => Promise<unknown>;

/** Starts something of several parts. When that fails, the parts that were opened are closed, the newest first. */
export async function closeOnFailure<Started>(
  start: (opened: (close: Close) => void) => Promise<Started>,
): Promise<Started> {
  const closes: Close[] = [];
  try {
    return await start((close) => closes.unshift(close));
  } catch (error) {
    // Why it did not start is what matters, not what could not be closed.
    for (const close of closes) await close().catch(() => {});
    throw error;
  }
}
