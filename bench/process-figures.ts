import { readFileSync, readdirSync } from "node:fs";
import { descendantsOf } from "../test/harness/process.ts";

/**
 * What a program has cost so far, by the kernel's books: the process and all its children, all
 * threads. CPU time, not wall time: it stays true on a machine that does other work too.
 */

function family(pid: number): readonly number[] {
  return [pid, ...descendantsOf(pid).map((relative) => relative.pid)];
}

/** CPU time in milliseconds, user and system (proc(5): the first field of `schedstat`, in ns). */
export function cpuMs(pid: number): number {
  return family(pid).reduce((sum, member) => sum + scheduleOf(member).cpuMs, 0);
}

/**
 * What one process has had of the processors, and how long its threads could have run and had to
 * wait for one (proc(5), `schedstat`).
 */
export interface Schedule {
  readonly cpuMs: number;
  readonly waitMs: number;
}

/** Of this process alone, all threads. */
export function scheduleOf(pid: number): Schedule {
  let cpu = 0;
  let wait = 0;
  for (const task of tasksOf(pid)) {
    const [ran = 0, waited = 0] = readText(`/proc/${pid}/task/${task}/schedstat`)
      .split(" ")
      .map(Number);
    cpu += ran;
    wait += waited;
  }
  return { cpuMs: cpu / 1e6, waitMs: wait / 1e6 };
}

/** proc(5), `/proc/stat`: a tick is 10 ms wherever Linux runs. */
const TICK_MS = 10;

/** CPU time of all programs of the machine so far, in milliseconds; not what it has idled. */
export function machineCpuMs(): number {
  const [first = ""] = readText("/proc/stat").split("\n", 1);
  const [, ...fields] = first.split(/ +/);
  // user nice system idle iowait irq softirq
  return [0, 1, 2, 5, 6].reduce((sum, at) => sum + Number(fields[at] ?? 0), 0) * TICK_MS;
}

/** Memory in kB: private pages, and of shared ones this program's share (PSS). */
export function pssKilobytes(pid: number): number {
  let total = 0;
  for (const member of family(pid)) {
    const line = readText(`/proc/${member}/smaps_rollup`)
      .split("\n")
      .find((text) => text.startsWith("Pss:"));
    total += Number.parseInt(line?.slice(4).trim() ?? "0", 10);
  }
  return total;
}

function tasksOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** The file's text; empty when the process has just ended. */
function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
