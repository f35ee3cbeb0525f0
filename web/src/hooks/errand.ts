// One thing fetched again and again: never two at once, and none cut off because the world moves
// on while it is under way. A server that is slow is asked the less often.

export type Work = (signal: AbortSignal) => Promise<void>;

export class Errand {
  private abort: AbortController | null = null;
  private again: Work | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** Begin now; what was under way is of no use any more. */
  start(work: Work): void {
    this.stop();
    void this.run(work);
  }

  /** Begin now, or once what is under way has come back and as much time again has passed. */
  renew(work: Work): void {
    if (this.abort) this.again = work;
    else void this.run(work);
  }

  stop(): void {
    clearTimeout(this.timer);
    this.abort?.abort();
    this.abort = null;
    this.again = null;
  }

  private async run(work: Work): Promise<void> {
    const abort = new AbortController();
    const begun = performance.now();
    this.abort = abort;
    await work(abort.signal);
    if (this.abort !== abort) return;
    this.timer = setTimeout(() => {
      const next = this.again;
      this.abort = null;
      this.again = null;
      if (next) void this.run(next);
    }, performance.now() - begun);
  }
}
