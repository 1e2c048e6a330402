import { spawn } from "node:child_process";
import { constants } from "node:os";

/**
 * What the set-up says while it works, and how it runs other programs. Plain JavaScript without a
 * dependency: it runs on whatever Node the machine has (18 and up), before anything is installed.
 */

/** A step that failed in a way that the user can do something about. */
export class SetupError extends Error {
  /** @param {string} message what happened and what to do */
  constructor(message) {
    super(message);
    this.name = "SetupError";
  }
}

/** @param {string} text one line for people */
export function say(text) {
  process.stdout.write(`${text}\n`);
}

/** @param {number} milliseconds */
export function formatDuration(milliseconds) {
  const seconds = milliseconds / 1000;
  return seconds < 60
    ? `${seconds.toFixed(1)} s`
    : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/**
 * Says what is being done and, once it is done, how long it took.
 *
 * @template Result
 * @param {string} title
 * @param {() => Promise<Result>} work
 * @returns {Promise<Result>}
 */
export async function step(title, work) {
  const startedAt = Date.now();
  say(`· ${title} …`);
  const result = await work();
  say(`✓ ${title} (${formatDuration(Date.now() - startedAt)})`);
  return result;
}

/** Programs that run now, for the end by a signal. @type {Set<import("node:child_process").ChildProcess>} */
const running = new Set();

let isEnding = false;

/** Ends every program that a `run` has started, and lets none start any more. @param {NodeJS.Signals} signal */
export function endRunning(signal) {
  isEnding = true;
  for (const child of running) child.kill(signal);
}

/**
 * Runs a program to its end. Its output is kept and shown only when it fails.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, isShown?: boolean }} [options] isShown: the
 *   output goes to the terminal as it comes
 * @returns {Promise<{ code: number, output: string }>} code 127: it could not be started; 128 + n:
 *   ended by signal n
 */
export function run(command, args, options = {}) {
  if (isEnding) return Promise.resolve({ code: 130, output: "interrupted" });
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: options.isShown ? "inherit" : ["ignore", "pipe", "pipe"],
    });
    running.add(child);
    let output = "";
    const keep = (/** @type {Buffer} */ chunk) => {
      output = (output + chunk.toString("utf8")).slice(-200_000);
    };
    child.stdout?.on("data", keep);
    child.stderr?.on("data", keep);
    child.once("error", (error) => {
      running.delete(child);
      resolve({ code: 127, output: String(error) });
    });
    child.once("close", (code, signal) => {
      running.delete(child);
      resolve({ code: code ?? 128 + (signalNumber(signal) ?? 1), output });
    });
  });
}

/**
 * As `run`, but a failure is a SetupError with the command and the end of its output.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, isShown?: boolean }} [options]
 */
export async function mustRun(command, args, options = {}) {
  const { code, output } = await run(command, args, options);
  if (code === 0) return output;
  throw failure(command, args, code, output);
}

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @param {number} code
 * @param {string} output
 */
export function failure(command, args, code, output) {
  const lines = output.trim().split("\n");
  const shown = lines.length <= 60 ? lines : [...lines.slice(0, 30), "  […]", ...lines.slice(-30)];
  return new SetupError(
    `This command failed (exit code ${code}):\n  ${command} ${args.join(" ")}\n${shown.join("\n")}`,
  );
}

/** @param {NodeJS.Signals | null} signal */
export function signalNumber(signal) {
  return signal === null ? undefined : constants.signals[signal];
}
