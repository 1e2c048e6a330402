/** Loaded into a gateway before its own code: tells on SIGUSR2 how many calls its memory holds. */
import { queryObjects } from "node:v8";
import { Call } from "../../src/call/call.ts";

process.on("SIGUSR2", () => {
  process.stdout.write(`calls in memory: ${queryObjects(Call, { format: "count" })}\n`);
});
