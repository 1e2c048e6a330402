import { scriptLines } from "../fake-carrier/scripts.ts";

/** What `offhook help` prints for each command. */
const USAGES = {
  run: `offhook run [--config FILE] [--log-level LEVEL] [--log-pretty]
  Runs the gateway until SIGTERM or SIGINT; SIGHUP reloads the configuration,
  and so does a change of the file (reload.watch).
  --log-level   debug, info (default), warn or error
  --log-pretty  lines for people instead of JSON`,
  check: `offhook check [--config FILE]
  Validates the configuration and runs the dialplan's tests. Prints each mistake as
  file:line:column: key: what is wrong; what was expected. Exit code 1 on any.`,
  route: `offhook route --from WHO --to NUMBER [--trunk ID] [--at TIME] [--config FILE] [--json]
  Decides a call without placing it, and explains every rule.
  --from   a user's id or number; with --trunk, the number that the trunk presents
  --to     what is dialled
  --trunk  the trunk that the call comes from
  --at     such as 2026-11-20T10:00 (in the dialplan's time zone) or 2026-11-20T09:00Z; default: now
  --json   the decision as JSON`,
  dialplan: `offhook dialplan history | diff [--draft FILE] | reload | rollback VERSION
                [--url URL] [--token TOKEN] [--config FILE]
  The plans of the running gateway, by its API (role admin).
  history   the plans that were in force, newest first; * is in force
  diff      the calls that would go elsewhere by the file as it is now
  --draft   or by the dialplan of another configuration file
  reload    takes the file, after a roll-back too
  rollback  puts an earlier plan in force, until the dialplan of the file changes
  --url, --token  the gateway; default: OFFHOOK_URL, OFFHOOK_TOKEN, else as the file has them`,
  "fake-carrier": `offhook fake-carrier [--listen HOST:PORT]
  A carrier with faults, to try a gateway or a PBX against: it does what the number dialled says.
  It knows no passwords but that of the number 407: for tests, never for the open internet.
  --listen  one address of this machine, for UDP and TCP; default: 127.0.0.1:5070
  The last three digits of the number:
${scriptLines()
  .map((line) => `  ${line}`)
  .join("\n")}`,
  help: `offhook help [COMMAND]
  Shows this.`,
} as const;

/** A command that `help` knows. */
export type CommandName = keyof typeof USAGES;

/** All commands, in the order of the help. */
export const commandNames: readonly string[] = Object.keys(USAGES);

/** True when the word is a command. */
export function isCommandName(word: string): word is CommandName {
  return Object.hasOwn(USAGES, word);
}

/** The help of one command. */
export function usageOf(command: CommandName): string {
  return `Usage: ${USAGES[command]}`;
}

/** The help of all. */
export function usageOfAll(): string {
  return [
    "Offhook: a phone in the browser, on any PBX.",
    "",
    ...Object.values(USAGES).flatMap((usage) => [usage, ""]),
    "Without --config: offhook.yaml in the working directory, else the built-in demo.",
    "offhook --version prints the version.",
  ].join("\n");
}
