import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";

import { NODE_FLAGS, PINNED_NODE_FLAGS } from "../../scripts/setup/node-flags.mjs";
import { makeTemporaryDirectory } from "../harness/temporary.ts";

const project = join(import.meta.dirname, "../..");
const docker = join(project, "docker");
const read = (path: string): string => readFileSync(join(project, path), "utf8");

// The keys of the Compose specification that compose.yaml may use; another is a mistake.
const service = z.strictObject({
  build: z.strictObject({ context: z.string(), dockerfile: z.string(), target: z.string() }),
  image: z.string(),
  network_mode: z.literal("host"),
  env_file: z.string().optional(),
  volumes: z.array(z.string()).optional(),
  entrypoint: z.array(z.string()).optional(),
  command: z.array(z.string()).optional(),
  depends_on: z.array(z.string()).optional(),
  restart: z.string(),
  stop_grace_period: z.string().optional(),
  cap_drop: z.tuple([z.literal("ALL")]),
  security_opt: z.array(z.string()),
  healthcheck: z
    .strictObject({
      test: z.array(z.string()),
      interval: z.string(),
      timeout: z.string(),
      start_period: z.string(),
    })
    .optional(),
});
const compose = z
  .strictObject({
    name: z.string(),
    services: z.record(z.string(), service),
    volumes: z.record(z.string(), z.strictObject({})),
  })
  .parse(parse(read("docker/compose.yaml")));
const services = Object.entries(compose.services);

const dockerfile = read("docker/Dockerfile")
  .replaceAll("\\\n", " ")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"));
const instruction = (name: string): readonly string[] =>
  dockerfile
    .filter((line) => line.startsWith(`${name} `))
    .map((line) => line.slice(name.length + 1));
const stages = instruction("FROM").map((line) => / AS (\w+)$/.exec(line)?.[1]);

const example = parseEnv(read("docker/.env.example"));
const namesIn = (text: string): readonly string[] =>
  Array.from(text.matchAll(/\$\{(\w+)/g), (match) => match[1] ?? "");

describe("docker/compose.yaml", () => {
  it.each(services)("builds %s from a stage of the Dockerfile", (_name, { build }) => {
    const context = join(docker, build.context);
    expect(context).toBe(project);
    expect(existsSync(join(context, build.dockerfile))).toBe(true);
    expect(stages).toContain(build.target);
  });

  it.each(services)("mounts for %s what exists", (_name, { volumes = [] }) => {
    for (const volume of volumes) {
      const [source = "", target = ""] = volume.split(":");
      if (source.startsWith("./")) expect(existsSync(join(docker, source))).toBe(true);
      else expect(Object.keys(compose.volumes)).toContain(source);
      expect(target).toMatch(/^\/var\/lib\/offhook\//);
    }
  });

  it("waits for services that there are", () => {
    for (const [, { depends_on: needed = [] }] of services) {
      for (const name of needed) expect(Object.keys(compose.services)).toContain(name);
    }
  });

  it("needs only variables that .env.example explains", () => {
    const used = [...namesIn(read("docker/compose.yaml")), ...namesIn(read("docker/offhook.yaml"))];
    expect(Object.keys(example).toSorted()).toEqual([...new Set(used)].toSorted());
  });

  it("gives rtpengine the flags of the managed one", () => {
    const ours = compose.services["rtpengine"]?.entrypoint ?? [];
    const managed = read("src/media/managed-rtpengine.ts");
    const flags = Array.from(
      managed.matchAll(/["`](--[a-z-]+(?:=[\w-]+)?)(?:["`]|=\$)/g),
      (m) => m[1],
    );
    const own = flags.filter((flag) => flag !== "--pdeathsig");
    expect(own.length).toBeGreaterThan(8);
    for (const flag of own) {
      expect(
        ours.some((one) => one === flag || one.startsWith(`${String(flag)}=`)),
        flag,
      ).toBe(true);
    }
    expect(ours).toContain("--listen-ng=127.0.0.1:22222");
    expect(read("docker/offhook.yaml")).toContain("udp:127.0.0.1:22222");
  });

  it("asks the gateway's readiness with a path that it serves", () => {
    expect(compose.services["gateway"]?.healthcheck?.test.join(" ")).toContain("/readyz");
  });
});

describe("docker/Dockerfile", () => {
  it("copies only what exists and what its ignore file lets in", () => {
    const allowed = read("docker/Dockerfile.dockerignore")
      .split("\n")
      .filter((line) => line.startsWith("!"))
      .map((line) => line.slice(1));
    const sources = instruction("COPY")
      .filter((line) => !line.startsWith("--from="))
      .flatMap((line) => line.split(" ").slice(0, -1));
    expect(sources.toSorted()).toEqual(allowed.toSorted());
    for (const source of sources) expect(existsSync(join(project, source)), source).toBe(true);
  });

  it("runs npm scripts that there are", () => {
    const { scripts } = z
      .object({ scripts: z.record(z.string(), z.string()) })
      .parse(JSON.parse(read("package.json")));
    const names = Array.from(read("docker/Dockerfile").matchAll(/npm run (\w+)/g), (m) => m[1]);
    expect(names).toEqual(["setup"]);
    for (const name of names) expect(Object.keys(scripts)).toContain(name);
  });

  it("ends without root, at the program that there is", () => {
    expect(instruction("USER")).toEqual(["offhook", "turnserver"]);
    expect(instruction("ENTRYPOINT")[0]).toContain('"/opt/offhook/src/main.ts"]');
    expect(existsSync(join(project, "src/main.ts"))).toBe(true);
  });

  it("starts Node with the flags of every other way to start the gateway", () => {
    const [program, ...flags] = z
      .array(z.string())
      .parse(JSON.parse(instruction("ENTRYPOINT")[0] ?? ""));
    expect(program).toBe("node");
    expect(flags.slice(0, -1)).toEqual(PINNED_NODE_FLAGS);
    expect(read("scripts/offhook.mjs").split("\n")[0]).toBe(
      `#!/usr/bin/env -S node ${NODE_FLAGS.join(" ")}`,
    );
  });

  it("is made of Debian 13, whose rtpengine has the fix", () => {
    const bases = instruction("FROM").map((line) => line.split(" ")[0]);
    expect(bases).toEqual([
      "debian:trixie-slim",
      "debian:trixie-slim",
      "debian:trixie-slim",
      "offhook",
    ]);
  });
});

describe("docker/offhook.yaml", () => {
  it("passes offhook check with a filled-in .env", async () => {
    const directory = await makeTemporaryDirectory("docker");
    await cp(join(docker, "offhook.yaml"), join(directory, "offhook.yaml"));
    const filled = Object.entries(example).map(([name, value]): [string, string] => [
      name,
      value === "" || value === undefined
        ? "0123456789abcdef0123456789abcdef0123456789abcdef"
        : value,
    ]);
    const result = await new Promise<{ code: number; output: string }>((resolve) => {
      execFile(
        process.execPath,
        [join(project, "src/main.ts"), "check", "--config", join(directory, "offhook.yaml")],
        { env: { PATH: process.env["PATH"], ...Object.fromEntries(filled) } },
        (error, stdout, stderr) =>
          resolve({ code: error === null ? 0 : 1, output: stdout + stderr }),
      );
    });
    expect(result.output).not.toContain("WARNING");
    expect(result).toMatchObject({ code: 0 });
  });
});
