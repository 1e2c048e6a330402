/**
 * Flags of the Node that runs the gateway.
 *
 * V8's young generation grows to 3 × 16 MB by default. Calls live longer than that lasts, so each
 * collection copies all of them at once: 15 ms and more in which no message is handled. With a
 * quarter of it the pauses are a quarter too, at the same CPU time and with less memory. The
 * Dockerfile and the first line of offhook.mjs say the same.
 */
export const NODE_FLAGS = ["--max-semi-space-size=4"];
