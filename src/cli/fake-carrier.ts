import { formatSocketAddress, tryParseSocketAddress } from "../core/address.ts";
import { FakeCarrier } from "../fake-carrier/carrier.ts";
import { parseOptions } from "./arguments.ts";
import type { Command } from "./command.ts";
import { usageOf } from "./usage.ts";

const DEFAULT_LISTEN = "127.0.0.1:5070";

/** `offhook fake-carrier`: a carrier with faults, until it is told to stop. */
export const fakeCarrierCommand: Command = async (args, context) => {
  const options = parseOptions(args, { listen: { type: "string" } });
  if (!options.ok) {
    context.complain(`offhook fake-carrier: ${options.message}`);
    context.complain(usageOf("fake-carrier"));
    return 2;
  }
  if (options.isSet("help")) {
    context.print(usageOf("fake-carrier"));
    return 0;
  }
  const listen = tryParseSocketAddress(options.text("listen") ?? DEFAULT_LISTEN);
  if (listen === undefined || listen.host === "0.0.0.0" || listen.host === "::") {
    context.complain(
      "offhook fake-carrier: --listen takes one address of this machine and a port, such as 127.0.0.1:5070",
    );
    return 2;
  }
  const carrier = new FakeCarrier({ listen, print: context.print });
  const local = await carrier.start();
  const address = formatSocketAddress(local);
  context.print(`The carrier listens at ${address}, UDP and TCP. As a trunk of the gateway:`);
  context.print(`  trunks: { carrier: { peer: "sip:${address}" } }`);
  await new Promise<void>((resolve) => {
    process.once("SIGTERM", resolve).once("SIGINT", resolve);
  });
  await carrier.stop();
  return 0;
};
