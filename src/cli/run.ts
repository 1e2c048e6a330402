import { dirname, join, resolve } from "node:path";
import { findConfigFile, tryLoadConfig } from "../config/load.ts";
import { formatProblem } from "../config/problem.ts";
import type { Config } from "../config/config.ts";
import { OffhookError } from "../core/errors.ts";
import { isLogLevel, LOG_LEVELS } from "../core/logger.ts";
import { Gateway, type GatewayAddresses } from "../gateway.ts";
import { Plans } from "../plans.ts";
import { parseOptions } from "./arguments.ts";
import type { Command, CommandContext } from "./command.ts";
import { usageOf } from "./usage.ts";
import { version } from "./version.ts";

const PROJECT = join(import.meta.dirname, "../..");

/** `offhook run`: the gateway, until it is told to stop. */
export const runCommand: Command = async (args, context) => {
  const options = parseOptions(args, {
    config: { type: "string" },
    "log-level": { type: "string" },
    "log-pretty": { type: "boolean" },
  });
  if (!options.ok) {
    context.complain(`offhook run: ${options.message}`);
    context.complain(usageOf("run"));
    return 2;
  }
  if (options.isSet("help")) {
    context.print(usageOf("run"));
    return 0;
  }
  const level = options.text("log-level") ?? "info";
  if (!isLogLevel(level)) {
    context.complain(`offhook run: --log-level is one of ${LOG_LEVELS.join(", ")}`);
    return 2;
  }
  const shown = options.text("config") ?? findConfigFile(context.directory);
  const file = shown === undefined ? undefined : resolve(context.directory, shown);
  const dataDirectory = join(file === undefined ? context.directory : dirname(file), "data");
  const early: unknown[] = [];
  let onVersionsError = (error: unknown): void => {
    early.push(error);
  };
  const plans = new Plans({
    load: (plan) =>
      tryLoadConfig(file, {
        environment: context.environment,
        dataDirectory,
        ...(plan !== undefined && { plan }),
      }),
    directory: join(dataDirectory, "dialplan"),
    onError: (error) => onVersionsError(error),
  });
  const { result: loaded, refused } = plans.readAtStart();
  if (!loaded.ok) {
    for (const problem of loaded.problems) context.complain(formatProblem(problem));
    return 1;
  }
  const { config } = loaded;
  const gateway = new Gateway({
    loaded,
    plans,
    log: { level, pretty: options.isSet("log-pretty") },
    version: version(),
    webRoot: join(PROJECT, "web-phone/dist"),
    dataDirectory,
  });
  const { logger } = gateway;
  onVersionsError = (err) => logger.error("versions of the dialplan cannot be kept", { err });
  for (const error of early) onVersionsError(error);
  for (const warning of config.warnings) logger.warn(warning);
  if (refused !== undefined && !refused.ok) {
    for (const problem of refused.problems) logger.error(formatProblem(problem));
    logger.error("the plan that was rolled back to no longer fits: the file's is in force");
  }
  const stopped = untilStopped(gateway, () => void gateway.reload({ how: "signal" }));
  let addresses: GatewayAddresses;
  try {
    addresses = await gateway.start();
  } catch (error) {
    stopped.cancel();
    if (!(error instanceof OffhookError)) throw error;
    context.complain(`offhook run: ${error.message}`);
    return 1;
  }
  welcome(config, addresses, context);
  logger.info("ready", { ...addresses, version: version() });
  await stopped.done;
  logger.info("stopped");
  return 0;
};

/** SIGTERM and SIGINT drain, a second one stops at once; SIGHUP reloads. */
function untilStopped(
  gateway: Gateway,
  reload: () => void,
): { readonly done: Promise<void>; readonly cancel: () => void } {
  const { promise, resolve: finish, reject } = Promise.withResolvers<void>();
  let isDraining = false;
  const onStop = (): void => {
    const ending = isDraining ? gateway.stop() : gateway.drain();
    isDraining = true;
    ending.then(finish, reject);
  };
  process.on("SIGTERM", onStop).on("SIGINT", onStop).on("SIGHUP", reload);
  const cancel = (): void => {
    process.off("SIGTERM", onStop).off("SIGINT", onStop).off("SIGHUP", reload);
  };
  return { done: promise.finally(cancel), cancel };
}

/** What a person at the terminal needs to know. */
function welcome(config: Config, addresses: GatewayAddresses, context: CommandContext): void {
  const lines = [
    "",
    `Offhook ${version()} is ready.`,
    "",
    `  Phone    ${addresses.http}/`,
    `  SIP      ${addresses.sip.join("  ")}`,
    ...Array.from(config.trunks.values(), (trunk) => `  Trunk    ${trunk.id}  ${trunk.peer}`),
    ...(config.demo === undefined
      ? []
      : [
          "",
          ...config.demo.users.map(
            ({ id, password }, index) =>
              `  ${index === 0 ? "Sign in " : "        "} ${id}  password ${password}`,
          ),
          ...(config.demo.adminToken === undefined
            ? []
            : [`  API      Authorization: Bearer ${config.demo.adminToken}`]),
          "",
          "  Dial *43 for an echo test, *44 for an announcement, *45 to have digits read back.",
        ]),
    "",
  ];
  for (const line of lines) context.print(line);
}
