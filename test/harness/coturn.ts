import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";

import { freePort, freePorts } from "./ports.ts";
import { Child } from "./process.ts";
import { makeTemporaryDirectory } from "./temporary.ts";
import { TurnClient } from "./turn-client.ts";
import { waitFor } from "./wait.ts";

const compose = z.object({
  services: z.object({ coturn: z.object({ command: z.array(z.string()) }) }),
});

/** Ports that one test's TURN server may relay on. */
const RELAY_PORTS = 40;

/** coturn with the options of docker/compose.yaml, on ports of its own. */
export class Coturn implements AsyncDisposable {
  readonly child: Child;
  readonly port: number;
  readonly secret: string;

  /** @param address what compose.yaml calls ADDRESS */
  static async start(address: string): Promise<Coturn> {
    const file = join(import.meta.dirname, "../../docker/compose.yaml");
    const { services } = compose.parse(parse(await readFile(file, "utf8")));
    const secret = "harness-turn-secret-0123456789";
    const port = await freePort(address);
    const relay = await freePorts(RELAY_PORTS, address);
    const values: Readonly<Record<string, string>> = {
      ADDRESS: address,
      TURN_SECRET: secret,
      DOMAIN: "localhost",
    };
    const ports: Readonly<Record<string, number>> = {
      "--listening-port": port,
      "--min-port": relay,
      "--max-port": relay + RELAY_PORTS - 1,
    };
    const command = services.coturn.command.map((option) => {
      const [name = ""] = option.split("=");
      const own = ports[name];
      if (own !== undefined) return `${name}=${own}`;
      return option.replaceAll(/\$\{(\w+)[^}]*\}/g, (_, key: string) => values[key] ?? "");
    });
    const child = await Child.start("turnserver", command, {
      name: "coturn",
      cwd: await makeTemporaryDirectory("coturn"),
    });
    // Its output comes in blocks: it is asked whether it listens.
    await waitFor(
      async () => {
        await using client = new TurnClient({ host: address, port }, "nobody", "", 300);
        return await client.allocate().then(
          (code) => code === 401,
          () => false,
        );
      },
      { what: "coturn's first answer", detail: () => child.tail() },
    );
    return new Coturn(child, port, secret);
  }

  private constructor(child: Child, port: number, secret: string) {
    this.child = child;
    this.port = port;
    this.secret = secret;
  }

  async stop(): Promise<void> {
    await this.child.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
