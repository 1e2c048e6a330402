/**
 * A TCP listener in a process that may open few files: `few-files.test.ts` runs it. Prints its
 * port, then each warning.
 */
import { SystemClock } from "../../../src/core/clock.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { buildResponse } from "../../../src/signaling/message/build.ts";
import { sendMessage } from "../../../src/signaling/transport/outbound.ts";
import { StreamTransport } from "../../../src/signaling/transport/stream-transport.ts";

const transport = new StreamTransport({
  transport: "TCP",
  listen: [{ listen: { host: "127.0.0.1", port: 0 } }],
  substitute: () => undefined,
  clock: new SystemClock(),
  logger: { ...silentLogger, warn: (text) => process.stdout.write(`${text}\n`) },
  handler: {
    onMessage(message, flow) {
      if (message.kind !== "request") return;
      sendMessage(buildResponse(message, 200, { toTag: "x" }), flow);
    },
    onFlowOpen() {},
    onFlowClosed() {},
  },
});
await transport.start();
process.stdout.write(`port ${transport.locals[0]?.port}\n`);
process.on("SIGTERM", () => {
  void transport.stop();
});
