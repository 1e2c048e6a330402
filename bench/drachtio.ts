import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Drachtio, DRACHTIO_SECRET } from "../test/harness/drachtio.ts";
import { startGateway } from "../test/harness/gateway.ts";
import { freePort } from "../test/harness/ports.ts";
import { Sipp } from "../test/harness/sipp.ts";
import { cpuMs } from "./process-figures.ts";

/**
 * What a call between two trunks costs over each engine: `node bench/drachtio.ts`, with DRACHTIO
 * naming the program. Both legs go over the engine; sipp calls and answers at 50 calls a second and
 * hangs up after a second; a warm-up is not counted. Prints and writes nothing.
 */

const [RATE, WARM_UP, CALLS] = [50, 300, 1000];
const [CALLER_HOST, ANSWER] = ["127.0.0.2", join(import.meta.dirname, "sipp/uas.xml")];

/** CPU time of one process without its children, in milliseconds. */
function ownCpuMs(pid: number): number {
  const tasks = readdirSync(`/proc/${pid}/task`);
  const nanoseconds = tasks.map((task) =>
    Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]),
  );
  return nanoseconds.reduce((sum, one) => sum + one, 0) / 1e6;
}

async function measure(engine: "embedded" | "drachtio"): Promise<string> {
  await using drachtio = engine === "drachtio" ? await Drachtio.start() : undefined;
  const [port, callerPort] = [await freePort(), await freePort(CALLER_HOST)];
  await using gateway = await startGateway({
    config: {
      ...(drachtio === undefined
        ? {}
        : { sip: { engine: { drachtio: { ...drachtio.admin, secret: DRACHTIO_SECRET } } } }),
      // More than the harness has for a test.
      media: { ports: "30000-39999" },
      trunks: {
        in: { peer: `sip:${CALLER_HOST}:${callerPort}` },
        out: { peer: `sip:127.0.0.1:${port}` },
      },
      dialplan: { routes: [{ name: "all", to: "_6XX", do: { dial: "out" } }] },
    },
  });
  await using _answering = await Sipp.start({ scenario: ANSWER, port, calls: 0, rtpEcho: false });
  const call = async (calls: number): Promise<number> => {
    await using sipp = await Sipp.start({
      scenario: "uac-call",
      localHost: CALLER_HOST,
      port: callerPort,
      remote: drachtio?.sip ?? gateway.sip,
      service: "600",
      values: { talk_ms: 1000, codec_number: 8, codec: "PCMA/8000" },
      calls,
      rate: RATE,
      rtpEcho: false,
    });
    return (await sipp.finished(120_000)).successfulCalls;
  };
  await call(WARM_UP);
  const figures = (): readonly number[] => [
    ownCpuMs(gateway.pid),
    drachtio === undefined ? 0 : cpuMs(drachtio.child.pid),
  ];
  const before = figures();
  const done = await call(CALLS);
  const [gatewayMs = 0, serverMs = 0] = figures().map((ms, at) => (ms - (before[at] ?? 0)) / done);
  const total = gatewayMs + serverMs;
  return `${engine}: ${done} of ${CALLS} calls, gateway ${gatewayMs.toFixed(2)} ms, drachtio-server ${serverMs.toFixed(2)} ms, together ${total.toFixed(2)} ms a call`;
}

for (const engine of ["embedded", "drachtio", "embedded", "drachtio"] as const) {
  process.stdout.write(`${await measure(engine)}\n`);
}
