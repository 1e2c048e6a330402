/**
 * Flags of any Node that runs the gateway.
 *
 * V8's young generation grows to 3 × 16 MB by default. Calls live longer than that lasts, so each
 * collection copies all of them at once: 15 ms and more in which no message is handled. With half
 * of it the pauses are half too, at the same CPU time and with less memory. The first line of
 * offhook.mjs says the same.
 *
 * V8 lets the rest of the heap grow by little before it marks all of it again: with 5,000 calls up
 * and 100 calls/s, by 30 MB of 300, each nine seconds, for a quarter of all CPU time. Now it grows by
 * three fifths. (If it might double, a flood of REGISTERs took more than the 20 MB that it may; so it
 * does only with calls to carry: `src/core/heap-growth.ts`.)
 *
 * Node gives V8 four threads for garbage collection and compilation, however few cores there are.
 * While they marked the heap, on two cores beside rtpengine, messages waited for 8 to 50 ms, again
 * and again for a tenth of a second. With one thread p99 of the time to 180 at 100 calls/s was 9 ms
 * instead of 39 and 77, at the same CPU time.
 */
export const NODE_FLAGS = [
  "--max-semi-space-size=8",
  "--heap-growing-percent=60",
  "--v8-pool-size=1",
];

/**
 * Flags of the Node that the package pins; an older one may refuse to start with them, and none
 * takes them out of NODE_OPTIONS.
 *
 * Most functions of the gateway run a few times a call, so that V8 compiles them in full only after
 * thousands of calls. With a third of the invocations a call cost 8 % less CPU in the rounds after
 * the first 5,400.
 *
 * When nothing has been going on for 8 s after a collection, V8 makes its heap as small as it can. With
 * no call up it takes the maps of their objects for garbage, and throws away all code that was compiled
 * for them: of the next 1,200 calls each cost 2.5 and 2.8 ms instead of 1.6 and 1.8, for 319 functions
 * were compiled again. Now it waits for an hour.
 */
export const PINNED_NODE_FLAGS = [
  ...NODE_FLAGS,
  "--invocation-count-for-turbofan=1000",
  "--gc-memory-reducer-start-delay-ms=3600000",
];
