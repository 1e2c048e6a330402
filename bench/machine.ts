import { execFileSync } from "node:child_process";
import { accessSync, constants, readFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem } from "node:os";
import { join } from "node:path";

/** Debian's packages that the benchmarks run, each with a program of it. */
const PACKAGES: readonly (readonly [name: string, program: string])[] = [
  ["kamailio", "kamailio"],
  ["kamailio-websocket-modules", "/usr/lib/x86_64-linux-gnu/kamailio/modules/websocket.so"],
  ["rtpengine-daemon", "rtpengine"],
  ["sip-tester", "sipp"],
  ["iproute2", "ip"],
  ["util-linux", "setpriv"],
];

/** Packages that are not installed. */
export function missingPackages(): readonly string[] {
  return PACKAGES.filter(([name]) => versionOf(name) === undefined).map(([name]) => name);
}

/** Where a program is, for one that the path may not hold. */
export function hasProgram(name: string): boolean {
  const directories = [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin", "/sbin"];
  return directories.some((directory) => {
    try {
      accessSync(join(directory, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** The machine and what runs on it, for the report. */
export function describeMachine(): readonly (readonly [name: string, value: string])[] {
  const model = cpus()[0]?.model.trim() ?? "unknown";
  const rows: (readonly [string, string])[] = [
    ["CPU", `${model}, ${availableParallelism()} cores`],
    ["Memory", `${Math.round(totalmem() / 2 ** 30)} GB`],
    ["System", `${systemName()}, Linux ${release()}`],
    ["Node", process.version],
  ];
  for (const name of ["kamailio", "rtpengine-daemon", "sip-tester"]) {
    rows.push([name, versionOf(name) ?? "not installed"]);
  }
  return rows;
}

function systemName(): string {
  const line = /^PRETTY_NAME="(.*)"$/m.exec(readFileSync("/etc/os-release", "utf8"));
  return line?.[1] ?? "unknown";
}

function versionOf(name: string): string | undefined {
  try {
    const format = "${db:Status-Status} ${Version}";
    const output = execFileSync("dpkg-query", ["--show", `--showformat=${format}`, name], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return output.startsWith("installed ") ? output.slice(10) : undefined;
  } catch {
    return undefined;
  }
}
