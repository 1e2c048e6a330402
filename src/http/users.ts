import { z } from "zod";
import {
  FORWARD_KINDS,
  FORWARD_NUMBER,
  NOTHING_SET,
  type Forward,
  type ForwardKind,
  type UserSettings,
} from "../dialplan/user-settings.ts";
import type { UserView } from "./ports.ts";
import { errorReply, jsonReply, type Reply } from "./reply.ts";
import type { RequestContext } from "./route.ts";
import { parseBody } from "./validation.ts";

const forwardSchema = z.union([
  z.null(),
  z.strictObject({
    number: z
      .string()
      .regex(FORWARD_NUMBER, "a number such as 1002 or +4930123456, at most 32 characters")
      .exactOptional(),
    on: z.boolean().exactOptional(),
  }),
]);

const changeSchema = z.strictObject({
  doNotDisturb: z.boolean().exactOptional(),
  forward: z
    .strictObject({
      always: forwardSchema.exactOptional(),
      busy: forwardSchema.exactOptional(),
      noAnswer: forwardSchema.exactOptional(),
    })
    .exactOptional(),
  noAnswerSeconds: z.union([z.null(), z.int().min(5).max(600)]).exactOptional(),
});

type Change = z.output<typeof changeSchema>;

const SETTING_WORDS = {
  "do-not-disturb": "doNotDisturb",
  "forward-always": "always",
  "forward-busy": "busy",
  "forward-no-answer": "noAnswer",
} as const;

/** What the user who asks has set, and what it may set. */
export function showOwn(context: RequestContext): Reply {
  const { id, services } = context;
  const user = services.gateway.users.find(id);
  return user === undefined ? noUser() : jsonReply(200, ownView(user, context));
}

/** As `changeUser`, for the user who asks: what the dialplan lets users set, and nothing else. */
export async function changeOwn(context: RequestContext): Promise<Reply> {
  const change = parseBody(changeSchema, context.body);
  if (!change.ok) return change.reply;
  const settable = settableOf(context);
  const wanted = [
    ...(change.value.doNotDisturb === undefined ? [] : ["doNotDisturb"]),
    ...Object.keys(change.value.forward ?? {}),
    ...(change.value.noAnswerSeconds === undefined ? [] : ["noAnswer"]),
  ];
  const refused = wanted.find((word) => !settable.includes(word));
  if (refused !== undefined) {
    return errorReply(
      403,
      "ERR_OFFHOOK_HTTP_FORBIDDEN",
      `${refused}: users do not set this here, as dialplan.star-codes says.`,
    );
  }
  return apply(context, change.value, (user) => ownView(user, context));
}

function ownView(user: UserView, context: RequestContext): object {
  return { ...userView(user), settable: settableOf(context) };
}

function settableOf({ services }: RequestContext): readonly string[] {
  return services.gateway.users.settable().map((setting) => SETTING_WORDS[setting]);
}

export function showUser({ id, services }: RequestContext): Reply {
  const user = services.gateway.users.find(id);
  return user === undefined ? noUser() : jsonReply(200, userView(user));
}

/** Changes what the body names, and nothing else. */
export async function changeUser(context: RequestContext): Promise<Reply> {
  const change = parseBody(changeSchema, context.body);
  return change.ok ? apply(context, change.value, userView) : change.reply;
}

async function apply(
  { id, services }: RequestContext,
  change: Change,
  view: (user: UserView) => object,
): Promise<Reply> {
  const user = services.gateway.users.find(id);
  if (user === undefined) return noUser();
  for (const kind of FORWARD_KINDS) {
    const wanted = forwardIn(change, kind);
    if (wanted === undefined || wanted === null) continue;
    const number = wanted.number ?? user.settings?.forwards[kind]?.number;
    if (number === undefined) {
      return errorReply(
        400,
        "ERR_OFFHOOK_HTTP_BAD_REQUEST",
        `forward.${wordOf(kind)}.number: missing, and the user has none from before`,
      );
    }
    if (wanted.on !== false && !services.gateway.users.mayForward(id, number)) {
      return errorReply(
        409,
        "ERR_OFFHOOK_HTTP_FORWARD",
        `The dialplan does not let this user call ${number}, so it may not forward there.`,
      );
    }
  }
  const isKept = await services.gateway.users.change(id, (now) => changed(now, change));
  if (!isKept) {
    return errorReply(500, "ERR_OFFHOOK_HTTP_INTERNAL", "The change holds, but was not written.");
  }
  const after = services.gateway.users.find(id);
  return after === undefined ? noUser() : jsonReply(200, view(after));
}

export function userView({ id, name, settings = NOTHING_SET }: UserView): object {
  const forward = Object.fromEntries(
    FORWARD_KINDS.flatMap((kind) => {
      const set = settings.forwards[kind];
      return set === undefined ? [] : [[wordOf(kind), { number: set.number, on: set.isOn }]];
    }),
  );
  return {
    id,
    name,
    doNotDisturb: settings.doNotDisturb,
    forward,
    ...(settings.noAnswerMs !== undefined && { noAnswerSeconds: settings.noAnswerMs / 1000 }),
  };
}

function changed(now: UserSettings, change: Change): UserSettings {
  const forwards: Partial<Record<ForwardKind, Forward>> = { ...now.forwards };
  for (const kind of FORWARD_KINDS) {
    const wanted = forwardIn(change, kind);
    if (wanted === undefined) continue;
    const number = wanted?.number ?? forwards[kind]?.number;
    if (wanted === null || number === undefined) delete forwards[kind];
    else forwards[kind] = { number, isOn: wanted.on ?? true };
  }
  const { noAnswerMs: before, ...rest } = now;
  const { noAnswerSeconds: seconds } = change;
  const noAnswerMs = seconds === undefined ? before : seconds === null ? undefined : seconds * 1000;
  return {
    ...rest,
    forwards,
    doNotDisturb: change.doNotDisturb ?? now.doNotDisturb,
    ...(noAnswerMs !== undefined && { noAnswerMs }),
  };
}

function forwardIn({ forward }: Change, kind: ForwardKind) {
  return forward?.[wordOf(kind)];
}

function wordOf(kind: ForwardKind): "always" | "busy" | "noAnswer" {
  return kind === "no-answer" ? "noAnswer" : kind;
}

function noUser(): Reply {
  return errorReply(404, "ERR_OFFHOOK_HTTP_NOT_FOUND", "No user of the configuration has this id.");
}
