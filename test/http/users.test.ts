import { describe, expect, it } from "vitest";

import { bearer, codeOf, jsonOf, postJson, startServer, TOKENS, USERS } from "./fixture.ts";

const [, operator] = TOKENS;
const headers = bearer(operator?.token ?? "");

describe("users", () => {
  it("are shown with what they have set, and without a secret", async () => {
    const { url, gateway } = await startServer();
    gateway.settings.set("1001", {
      doNotDisturb: true,
      forwards: { "no-answer": { number: "1002", isOn: true } },
      noAnswerMs: 15_000,
    });
    const list = await fetch(`${url}/api/v1/users`, { headers });
    const text = await list.text();
    for (const { password } of USERS.values()) expect(text).not.toContain(password);
    expect(JSON.parse(text)).toEqual({
      items: [
        {
          id: "1001",
          name: "Ann Lee",
          doNotDisturb: true,
          forward: { noAnswer: { number: "1002", on: true } },
          noAnswerSeconds: 15,
        },
        { id: "1002", name: "Bob Ray", doNotDisturb: false, forward: {} },
      ],
      nextCursor: null,
    });
    const one = await fetch(`${url}/api/v1/users/1002`, { headers });
    expect(await jsonOf(one)).toMatchObject({ id: "1002" });
    const nobody = await fetch(`${url}/api/v1/users/9`, { headers });
    expect([nobody.status, await codeOf(nobody)]).toEqual([404, "ERR_OFFHOOK_HTTP_NOT_FOUND"]);
  });

  it("are changed key by key", async () => {
    const { url } = await startServer();
    const change = async (body: unknown) =>
      jsonOf(await postJson(`${url}/api/v1/users/1001`, body, headers));
    expect(await change({ doNotDisturb: true })).toMatchObject({ doNotDisturb: true });
    expect(
      await change({ forward: { busy: { number: "1002" } }, noAnswerSeconds: 20 }),
    ).toMatchObject({
      doNotDisturb: true,
      forward: { busy: { number: "1002", on: true } },
      noAnswerSeconds: 20,
    });
    expect(await change({ forward: { busy: { on: false } } })).toMatchObject({
      forward: { busy: { number: "1002", on: false } },
    });
    const last = await change({
      doNotDisturb: false,
      forward: { busy: null },
      noAnswerSeconds: null,
    });
    expect(last).toEqual({ id: "1001", name: "Ann Lee", doNotDisturb: false, forward: {} });
  });

  it.each<[unknown, number, string, string?]>([
    [{ forward: { always: { number: "0900" } } }, 409, "ERR_OFFHOOK_HTTP_FORWARD"],
    [{ forward: { always: {} } }, 400, "ERR_OFFHOOK_HTTP_BAD_REQUEST"],
    [{ forward: { always: { number: "a b" } } }, 400, "ERR_OFFHOOK_HTTP_BAD_REQUEST"],
    [{ forward: { always: { number: "1".repeat(33) } } }, 400, "ERR_OFFHOOK_HTTP_BAD_REQUEST"],
    [{ noAnswerSeconds: 1 }, 400, "ERR_OFFHOOK_HTTP_BAD_REQUEST"],
    [{ password: "new" }, 400, "ERR_OFFHOOK_HTTP_BAD_REQUEST"],
    [{ doNotDisturb: true }, 404, "ERR_OFFHOOK_HTTP_NOT_FOUND", "9"],
  ])("refuse %j with %i", async (body, status, code, id = "1001") => {
    const { url, gateway } = await startServer();
    gateway.forbidden.add("0900");
    const reply = await postJson(`${url}/api/v1/users/${id}`, body, headers);
    expect([reply.status, await codeOf(reply)]).toEqual([status, code]);
    expect(gateway.settings.size).toBe(0);
  });
});
