import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { Child } from "../../harness/process.ts";
import { connectPeer } from "../../harness/stream-peer.ts";
import { waitFor } from "../../harness/wait.ts";

const PROGRAM = join(import.meta.dirname, "few-files.ts");

describe("a process that runs out of files", () => {
  it("loses connections, not the listener", async () => {
    const command = `ulimit -n 48; exec "${process.execPath}" "${PROGRAM}"`;
    const child = await Child.start("sh", ["-c", command], { name: "few files" });
    onTestFinished(async () => {
      await child.stop("SIGTERM");
    });
    const port = Number(
      await child.waitForLine((line) => /^port (\d+)$/.exec(line)?.[1], "its port"),
    );
    const sockets: Socket[] = [];
    let closed = 0;
    for (let n = 0; n < 60; n += 1) {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => {});
      socket.once("close", () => {
        closed += 1;
      });
      sockets.push(socket);
    }
    await waitFor(() => closed > 0, { what: "a connection to be refused" });
    for (const socket of sockets) {
      socket.destroy();
      if (!socket.closed) await once(socket, "close");
    }
    expect(child.isRunning).toBe(true);
    const answer = async (): Promise<boolean> => {
      const { peer } = await connectPeer({ host: "127.0.0.1", port });
      peer.request("OPTIONS", { uri: "sip:a@b", from: "<sip:a@b>;tag=1", to: "<sip:a@b>" });
      const response = await peer.expectResponse(200).catch(() => undefined);
      await peer.close();
      return response !== undefined;
    };
    await waitFor(answer, { what: "an answer once there is room again" });
  });
});
