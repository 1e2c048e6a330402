import { existsSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";

/**
 * The gateway's arguments, with `--config` made absolute.
 *
 * npm runs its scripts in the package's directory; a path that the user typed means the directory
 * that the user is in. Without `--config`, an offhook.yaml there counts, then one of the package.
 *
 * @param {readonly string[]} args as given to `npm start --`
 * @param {string} callerDirectory INIT_CWD of npm
 * @param {string} root the package's directory
 * @returns {{ args: string[], configFile: string | undefined }}
 */
export function gatewayArguments(args, callerDirectory, root) {
  const result = [...args];
  for (let index = 0; index < result.length; index += 1) {
    const [name, value] = split(result[index] ?? "");
    if (name !== "--config") continue;
    const given = value ?? result[index + 1];
    if (given === undefined) break;
    const configFile = isAbsolute(given) ? given : resolve(callerDirectory, given);
    if (value === undefined) result[index + 1] = configFile;
    else result[index] = `--config=${configFile}`;
    return { args: result, configFile };
  }
  for (const directory of [callerDirectory, root]) {
    const configFile = join(directory, "offhook.yaml");
    if (existsSync(configFile)) return { args: ["--config", configFile, ...result], configFile };
  }
  return { args: result, configFile: undefined };
}

/** @param {string} argument @returns {[string, string | undefined]} */
function split(argument) {
  const equals = argument.indexOf("=");
  return equals < 0
    ? [argument, undefined]
    : [argument.slice(0, equals), argument.slice(equals + 1)];
}
