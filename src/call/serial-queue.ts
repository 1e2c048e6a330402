/**
 * Runs asynchronous steps one after another, in the order in which they came: the exchanges of one
 * call with rtpengine, whose state a second one under way would confuse.
 */
export class SerialQueue {
  #tail: Promise<unknown> = Promise.resolve();

  /** @returns what the step returns; a step that fails does not stop the next */
  run<Value>(step: () => Promise<Value>): Promise<Value> {
    const result = this.#tail.then(step);
    this.#tail = result.catch(() => {});
    return result;
  }
}
