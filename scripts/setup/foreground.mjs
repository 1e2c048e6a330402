import { spawn } from "node:child_process";

import { findProgram } from "./debian-packages.mjs";
import { signalNumber } from "./progress.mjs";

/** Two signals of a kind within this time are one: npm sends on what the terminal sent already. */
const SAME_SIGNAL_MS = 500;
const PARENT_CHECK_MS = 500;

/**
 * Runs a long-lived program as if it were this one: same input and output, signals passed on, and
 * its end is the end of this process, with the same exit code.
 *
 * On Ctrl-C the terminal signals every process in the foreground, and npm sends its own signal on
 * top; the gateway takes a second SIGINT for impatience. So it gets a process group of its own and
 * every signal once.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd: string, env: NodeJS.ProcessEnv }} options
 * @returns {Promise<number>} exit code; 128 + n: ended by signal n
 */
export function runInForeground(command, args, options) {
  // When this process is killed, the kernel asks the program to end (util-linux).
  const leash = findProgram("setpriv");
  const child =
    leash === undefined
      ? spawn(command, args, { ...options, stdio: "inherit", detached: true })
      : spawn(leash, ["--pdeathsig", "TERM", "--", command, ...args], {
          ...options,
          stdio: "inherit",
          detached: true,
        });
  const hasTerminal = process.stdin.isTTY || process.stdout.isTTY;
  /** @type {Map<NodeJS.Signals, number>} */
  const last = new Map();
  /** @param {NodeJS.Signals} signal */
  const pass = (signal) => {
    const now = Date.now();
    const isSame = now - (last.get(signal) ?? 0) < SAME_SIGNAL_MS;
    last.set(signal, now);
    if (isSame) return;
    // A closed terminal is the end; without one, SIGHUP is the wish to reload the configuration.
    child.kill(signal === "SIGHUP" && hasTerminal ? "SIGTERM" : signal);
  };
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR2"]))
    process.on(signal, pass);
  // npm may be gone without a word (killed, or its window closed): then nobody can end this any more.
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    pass("SIGTERM");
  }, PARENT_CHECK_MS);
  watch.unref();
  return new Promise((resolve) => {
    child.once("error", (error) => {
      process.stderr.write(`${command} could not be started: ${error.message}\n`);
      resolve(127);
    });
    child.once("close", (code, signal) => resolve(code ?? 128 + (signalNumber(signal) ?? 1)));
  });
}
