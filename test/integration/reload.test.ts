import { readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { main } from "../../src/cli/main.ts";
import {
  ADMIN_TOKEN,
  type ApiReply,
  type Gateway,
  restartGateway,
  startGateway,
  type YamlValue,
} from "../harness/gateway.ts";
import { expectNothingLeft, records } from "../harness/gateway-state.ts";
import { freePorts } from "../harness/ports.ts";
import { Sipp } from "../harness/sipp.ts";
import { WsCaller } from "../harness/ws-caller.ts";

// What is in force, and since when: by file, signal and API, over restarts, and under load.

type Plan = Readonly<Record<string, YamlValue>>;

const ECHO: Plan = { routes: [{ name: "first", to: "500", do: "echo" }] };
const REFUSE: Plan = { routes: [{ name: "second", to: "500", do: { reject: 486 } }] };
const BUSY: Plan = { routes: [{ name: "third", to: "500", do: { reject: 603 } }] };

let gateway: Gateway;

beforeEach(async () => {
  gateway = await startGateway({ config: { dialplan: ECHO } });
});

afterEach(async () => {
  await gateway.stop();
});

/** Puts another plan into the file, as an editor does: whole. @returns how long the log was before */
async function write(dialplan: YamlValue): Promise<number> {
  const file: unknown = parse(await readFile(gateway.configFile, "utf8"));
  const from = gateway.logs().length;
  await writeFile(`${gateway.configFile}~`, stringify({ ...Object(file), dialplan }));
  await rename(`${gateway.configFile}~`, gateway.configFile);
  return from;
}

async function writeAndWait(dialplan: YamlValue): Promise<void> {
  const from = await write(dialplan);
  await gateway.waitForLog("configuration reloaded", { from });
}

/** The route that takes a call of 1001 to 500. */
async function routeNow(): Promise<unknown> {
  const { body } = await gateway.api("/api/v1/dialplan/simulate", {
    method: "POST",
    body: { from: "1001", to: "500" },
  });
  return fieldOf(body, "route");
}

function fieldOf(body: unknown, name: string): unknown {
  return typeof body === "object" && body !== null ? Reflect.get(body, name) : undefined;
}

function post(name: string, body: object = {}): Promise<ApiReply> {
  return gateway.api(`/api/v1/dialplan/${name}`, { method: "POST", body });
}

async function versions(): Promise<unknown> {
  return fieldOf((await gateway.api("/api/v1/dialplan/versions")).body, "items");
}

describe("a change of the file", () => {
  it("is taken over by itself, when it is right", async () => {
    await writeAndWait(REFUSE);
    expect(await routeNow()).toBe("second");
    const from = await write({ routes: [{ name: "wrong", to: "500", do: { ring: "nobody" } }] });
    await gateway.waitForLog("configuration refused, the old one stays", { from });
    expect(
      gateway
        .logs()
        .slice(from)
        .map(({ msg }) => msg)
        .join(),
    ).toContain("nobody");
    expect(await routeNow()).toBe("second");
    // A red test is as wrong as a plan that cannot be read.
    const red = await write({
      ...ECHO,
      tests: [{ from: "1001", to: "500", expect: { reject: 404 } }],
    });
    await gateway.waitForLog("configuration refused, the old one stays", { from: red });
    expect(await routeNow()).toBe("second");
    await writeAndWait(BUSY);
    expect(await routeNow()).toBe("third");
    expect(await versions()).toMatchObject([
      { version: 3, how: "file", routes: 1, isInForce: true },
      { version: 2, how: "file", isInForce: false },
      { version: 1, how: "start", isInForce: false },
    ]);
  });

  it("in a file that is included counts too, and not at all without reload.watch", async () => {
    const included = join(gateway.directory, "more.yaml");
    await writeFile(included, stringify(ECHO));
    await writeAndWait({ include: "more.yaml", routes: [] });
    expect(await routeNow()).toBe("first");
    const from = gateway.logs().length;
    await writeFile(included, stringify(BUSY));
    await gateway.waitForLog("configuration reloaded", { from });
    expect(await routeNow()).toBe("third");

    const file: unknown = parse(await readFile(gateway.configFile, "utf8"));
    const off = gateway.logs().length;
    await writeFile(
      gateway.configFile,
      stringify({ ...Object(file), dialplan: REFUSE, reload: { watch: false } }),
    );
    await gateway.waitForLog("configuration reloaded", { from: off });
    await write(ECHO);
    const asked = gateway.logs().length;
    // Whatever the watch had seen would have come before the answer to a signal.
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(await routeNow()).toBe("second");
    process.kill(gateway.pid, "SIGHUP");
    await gateway.waitForLog("configuration reloaded", { from: asked });
    expect(await routeNow()).toBe("first");
  });
});

describe("the API", () => {
  it("says what a draft would change, and changes nothing", async () => {
    {
      await using caller = await WsCaller.signIn(gateway, "1001");
      const leg = await caller.call("500");
      await leg.bye();
    }
    await expectNothingLeft(gateway);
    const draft = { ...REFUSE, tests: [{ from: "1002", to: "500", expect: { reject: 486 } }] };
    const { status, body } = await post("diff", { dialplan: draft });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      compared: 2,
      changed: 2,
      decisions: [
        { from: "1002", to: "500", before: "echo", after: "reject 486" },
        { from: "1001", to: "500", before: "echo", after: "reject 486" },
      ],
    });
    expect(await post("diff")).toMatchObject({ status: 200, body: { changed: 0 } });
    const wrong = await post("diff", {
      dialplan: { routes: [{ to: "500", do: { ring: "nobody" } }, { do: { dial: "nowhere" } }] },
    });
    expect(wrong.status).toBe(422);
    expect(JSON.stringify(wrong.body)).toMatch(/nobody.*nowhere/);
    expect(await routeNow()).toBe("first");
    expect(await versions()).toHaveLength(1);
  });

  it("rolls back, which outlives a restart until the file's plan changes", async () => {
    await writeAndWait(REFUSE);
    const back = await post("rollback", { version: 1 });
    expect(back).toMatchObject({
      status: 200,
      body: { version: { version: 3, how: "rollback", by: "harness", of: 1 } },
    });
    expect(await routeNow()).toBe("first");
    expect((await post("rollback", { version: 17 })).status).toBe(404);

    process.kill(gateway.pid, "SIGHUP");
    await gateway.waitForLog((line) => line.fields.get("how") === "signal");
    expect(await routeNow()).toBe("first");
    await gateway.kill();
    gateway = await restartGateway(gateway);
    expect(await routeNow()).toBe("first");
    expect(await versions()).toHaveLength(3);

    await writeAndWait(BUSY);
    expect(await routeNow()).toBe("third");
    // And asked for by hand the file counts, whatever was rolled back.
    expect((await post("rollback", { version: 3 })).status).toBe(200);
    expect(await routeNow()).toBe("first");
    expect((await post("reload")).status).toBe(200);
    expect(await routeNow()).toBe("third");
    const kept = await readdir(join(gateway.directory, "data/dialplan"));
    expect(kept.toSorted()).toEqual([
      "1.json",
      "2.json",
      "3.json",
      "4.json",
      "5.json",
      "6.json",
      "index.json",
    ]);
  });

  it("is at the command line too", async () => {
    await writeAndWait(REFUSE);
    const offhook = async (...args: readonly string[]): Promise<readonly string[]> => {
      const lines: string[] = [];
      const code = await main(["dialplan", ...args], {
        directory: gateway.directory,
        environment: {},
        print: (line) => void lines.push(line),
        complain: (line) => void lines.push(line),
      });
      return [...lines, String(code)];
    };
    expect(await offhook("history")).toEqual([
      expect.stringMatching(/^\* 2 {2}\S+Z {2}[0-9a-f]{16} {2}1 route {2}file$/),
      expect.stringMatching(/^ {2}1 {2}.* start$/),
      "0",
    ]);
    await writeFile(
      join(gateway.directory, "draft.yaml"),
      stringify({
        users: { "1001": { password: "x" } },
        dialplan: { ...ECHO, tests: [{ from: "1001", to: "500", expect: "echo" }] },
      }),
    );
    expect(await offhook("diff", "--draft", "draft.yaml")).toEqual([
      expect.stringMatching(/^1001 to 500 at \S+: reject 486 -> echo$/),
      "of 1 call, 1 would go elsewhere",
      "0",
    ]);
    expect(
      await offhook("rollback", "1", "--url", gateway.httpUrl, "--token", ADMIN_TOKEN),
    ).toEqual([
      expect.stringMatching(/^in force: \* 3 .* rollback by harness to 1$/),
      "of 0 calls, 0 go elsewhere",
      "0",
    ]);
    expect(await offhook("reload")).toContain("0");
    expect(await routeNow()).toBe("second");
    expect((await offhook("rollback", "99")).at(-1)).toBe("1");
    expect((await offhook("rollback")).at(-1)).toBe("2");
    expect((await offhook("history", "--url", "http://127.0.0.1:1", "--token", "x")).at(-1)).toBe(
      "1",
    );
  });
});

const CARRIER_HOST = "127.0.0.3";

describe("under 50 calls a second", () => {
  it("no call is lost, and each is decided by one plan from its first leg to its last", async () => {
    await gateway.stop();
    await using well = await Sipp.start({
      scenario: "uas-echo",
      values: { ring_ms: 10 },
      calls: 0,
    });
    await using busy = await Sipp.start({
      scenario: "uas-refuses",
      values: { status: 486, reason: "Busy Here" },
      calls: 0,
    });
    // Two steps each: a call that began by one plan must not go on by another.
    const plan = (name: string): Plan => ({
      routes: [
        {
          name: `plan ${name}`,
          to: "5550",
          do: { dial: `busy-${name}`, on: { busy: { dial: `well-${name}` } } },
        },
      ],
      tests: [{ trunk: "carrier", from: "1", to: "5550", expect: { dial: `busy-${name}` } }],
    });
    const peer = (at: Sipp) => ({ peer: `sip:${at.address.host}:${at.address.port}` });
    const media = await freePorts(1600);
    gateway = await startGateway({
      config: {
        media: { ports: `${media}-${media + 1599}` },
        limits: { "max-calls": 1000, "max-calls-per-second": 500 },
        trunks: {
          carrier: { peer: `sip:${CARRIER_HOST}`, accept: [CARRIER_HOST] },
          "well-a": peer(well),
          "well-b": peer(well),
          "busy-a": peer(busy),
          "busy-b": peer(busy),
        },
        dialplan: plan("a"),
      },
    });
    const calls = 250;
    await using caller = await Sipp.start({
      scenario: "uac-call",
      values: { talk_ms: 100 },
      remote: gateway.sip,
      service: "5550",
      localHost: CARRIER_HOST,
      rate: 50,
      calls,
    });
    const finished = caller.finished(60_000);
    let reloads = 0;
    let refusals = 0;
    while (caller.child.isRunning) {
      reloads += 1;
      await writeAndWait(plan(reloads % 2 === 0 ? "a" : "b"));
      // Each right one is followed by a wrong one.
      const from = await write({
        ...plan("a"),
        tests: [{ trunk: "carrier", to: "5550", expect: "echo" }],
      });
      await gateway.waitForLog("configuration refused, the old one stays", { from });
      refusals += 1;
    }
    expect(await finished).toMatchObject({ code: 0, successfulCalls: calls, failedCalls: 0 });
    await expectNothingLeft(gateway);
    const ended = await records(gateway, 1000);
    expect(ended).toHaveLength(calls);
    const ways = new Map<string, number>();
    for (const record of ended) {
      const legs = JSON.stringify(record["legs"]).matchAll(/"id":"((?:busy|well)-[ab])"/g);
      const way = `${String(record["route"])}: ${Array.from(legs, ([, id]) => id).join(", ")}`;
      ways.set(way, (ways.get(way) ?? 0) + 1);
    }
    expect([...ways.keys()].toSorted()).toEqual([
      "plan a: busy-a, well-a",
      "plan b: busy-b, well-b",
    ]);
    process.stdout.write(
      `${calls} calls, ${reloads} reloads, ${refusals} refused: ${JSON.stringify([...ways])}\n`,
    );
    expect(refusals).toBeGreaterThanOrEqual(2);
    expect(gateway.child.lines.filter((line) => /^\s+at .*:\d+:\d+/.test(line))).toEqual([]);
  });
});
