import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  changeOf,
  changeOwnCalls,
  draftOf,
  forwardedTo,
  NO_OWN_CALLS,
  type OwnCalls,
  type OwnCallsEvent,
  type OwnCallsState,
  tryParseOwnCalls,
} from "../../web-phone/src/own-calls.ts";
import { askOwnCalls } from "../../web-phone/src/own-calls-client.ts";

const KNOWN: OwnCalls = {
  doNotDisturb: false,
  forward: { always: { number: "1002", on: true }, busy: { number: "1003", on: false } },
  settable: ["doNotDisturb", "always", "busy", "noAnswer"],
};
const loaded: OwnCallsState = { ...NO_OWN_CALLS, known: KNOWN, load: "loaded" };

function after(state: OwnCallsState, ...events: readonly OwnCallsEvent[]): OwnCallsState {
  return events.reduce(changeOwnCalls, state);
}

describe("what the user has set for its calls", () => {
  it("is asked for, told, and asked for again without a gap", () => {
    expect(after(NO_OWN_CALLS, { type: "load" })).toMatchObject({ load: "loading" });
    const first = after(NO_OWN_CALLS, { type: "load" }, { type: "loaded", known: KNOWN });
    expect(first).toEqual(loaded);
    expect(after(first, { type: "load" })).toMatchObject({ load: "loading", known: KNOWN });
    // A form on it keeps what is typed: nothing has changed.
    const again = after(first, { type: "load" }, { type: "loaded", known: { ...KNOWN } });
    expect(again.known).toBe(first.known);
    expect(after(NO_OWN_CALLS, { type: "load" }, { type: "load-failed" })).toMatchObject({
      load: "failed",
      known: undefined,
    });
    expect(after(loaded, { type: "none" })).toEqual(NO_OWN_CALLS);
  });

  it("is saved once at a time, and an answer from before is none", () => {
    const change = { doNotDisturb: true };
    const saving = after(loaded, { type: "save", change });
    expect(saving).toMatchObject({ save: "saving", wanted: change });
    expect(after(saving, { type: "save", change: {} })).toBe(saving);
    expect(after(saving, { type: "load" }, { type: "loaded", known: KNOWN })).toBe(saving);
    const known = { ...KNOWN, doNotDisturb: true };
    const saved = after(saving, { type: "saved", known });
    expect(saved).toEqual({ known, load: "loaded", save: "saved", wanted: undefined });
    expect(after(saved, { type: "edited" }).save).toBe("idle");
    const refused = after(saving, { type: "save-failed", problem: "refused" });
    expect(refused).toMatchObject({ save: "refused", known: KNOWN, wanted: undefined });
    expect(after(NO_OWN_CALLS, { type: "save", change })).toEqual(NO_OWN_CALLS);
  });

  it("is a sign on the first screen while every call is forwarded", () => {
    expect(forwardedTo(loaded)).toBe("1002");
    expect(forwardedTo(NO_OWN_CALLS)).toBeUndefined();
    const off = { ...KNOWN, forward: { always: { number: "1002", on: false } } };
    expect(forwardedTo({ ...loaded, known: off })).toBeUndefined();
  });

  it("goes out as the form has it, of what may be set", () => {
    const draft = draftOf(KNOWN);
    expect(changeOf(draft, KNOWN)).toEqual({
      doNotDisturb: false,
      forward: { always: { number: "1002", on: true }, busy: { on: false } },
    });
    const typed = {
      ...draft,
      forward: { ...draft.forward, noAnswer: { number: "+49 (0)30 12-34", on: true } },
    };
    expect(changeOf(typed, { ...KNOWN, settable: ["noAnswer"] })).toEqual({
      forward: { noAnswer: { number: "+49301234", on: true } },
    });
  });

  it.each([
    undefined,
    null,
    {},
    { doNotDisturb: false, forward: {} },
    { doNotDisturb: "no", forward: {}, settable: [] },
    { doNotDisturb: false, forward: null, settable: [] },
  ])("is not read from %j", (value) => {
    expect(tryParseOwnCalls(value)).toBeUndefined();
  });

  it("is read without what nobody knows", () => {
    const answer = {
      id: "1001",
      doNotDisturb: true,
      forward: { always: { number: "1002", on: true }, never: { number: "1", on: true }, busy: 1 },
      settable: ["always", "password"],
    };
    expect(tryParseOwnCalls(answer)).toEqual({
      doNotDisturb: true,
      forward: { always: { number: "1002", on: true } },
      settable: ["always"],
    });
  });
});

describe("asking the gateway", () => {
  async function gatewayThat(status: number, body: string) {
    const requests: { readonly request: IncomingMessage; readonly body: string }[] = [];
    const server = createServer((request, response) => {
      let text = "";
      request.setEncoding("utf8");
      request.on("data", (chunk: string) => {
        text += chunk;
      });
      request.on("end", () => {
        requests.push({ request, body: text });
        response.writeHead(status, { "content-type": "application/json" }).end(body);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    return { requests, endpoint: `http://127.0.0.1:${port}/api/v1/me` };
  }

  it("sends the token of the session, and tells what comes", async () => {
    const { endpoint, requests } = await gatewayThat(200, JSON.stringify(KNOWN));
    expect(await askOwnCalls(endpoint, "token")).toEqual({ type: "loaded", known: KNOWN });
    const change = { forward: { always: { number: "1002", on: true } } };
    expect(await askOwnCalls(endpoint, "token", change)).toEqual({ type: "saved", known: KNOWN });
    expect(requests.map(({ request, body }) => [request.method, body])).toEqual([
      ["GET", ""],
      ["POST", JSON.stringify(change)],
    ]);
    for (const { request } of requests) {
      expect(request.headers.authorization).toBe("Bearer token");
    }
  });

  it.each([
    [409, "{}", "refused"],
    [400, "{}", "refused"],
    [403, "{}", "failed"],
    [500, "{}", "failed"],
    [200, "nonsense", "failed"],
    [200, "{}", "failed"],
  ])("takes %i %s for a change that is %s", async (status, body, problem) => {
    const { endpoint } = await gatewayThat(status, body);
    expect(await askOwnCalls(endpoint, "token", {})).toEqual({ type: "save-failed", problem });
    expect(await askOwnCalls(endpoint, "token")).toEqual({ type: "load-failed" });
  });
});
