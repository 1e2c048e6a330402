// Run as a process of its own: a gateway that holds a managed rtpengine until it is killed.
import { SystemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { ManagedRtpengine } from "../../src/media/managed-rtpengine.ts";

const [min, max] = process.argv.slice(2).map(Number);
const rtpengine = new ManagedRtpengine({
  clock: new SystemClock(),
  logger: silentLogger,
  address: "127.0.0.1",
  ports: { min: min ?? 0, max: max ?? 0 },
});
await rtpengine.start();
process.stdout.write(`rtpengine ${String(rtpengine.pid)}\n`);
