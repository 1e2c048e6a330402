import { z } from "zod";
import type { PlanChange, PlanComparison } from "./ports.ts";
import { errorReply, jsonReply, type Reply } from "./reply.ts";
import type { RequestContext } from "./route.ts";
import { parseBody } from "./validation.ts";

/** Mistakes that an answer names. */
const MAX_PROBLEMS = 50;

const nothing = z.strictObject({});
const draftSchema = z.strictObject({ dialplan: z.unknown().exactOptional() });
const versionSchema = z.strictObject({ version: z.int().min(1) });

/** `POST /api/v1/dialplan/reload`: reads the file again, its own plan included. */
export function reloadPlan({ body, services, principal }: RequestContext): Reply {
  const query = parseBody(nothing, body);
  return query.ok ? changeReply(services.gateway.plans.reload(principal)) : query.reply;
}

/** `POST /api/v1/dialplan/diff`: what a draft, or the file as it is now, would change. */
export function diffPlan({ body, services }: RequestContext): Reply {
  const query = parseBody(draftSchema, body);
  return query.ok ? changeReply(services.gateway.plans.diff(query.value.dialplan)) : query.reply;
}

/** `GET /api/v1/dialplan/versions` */
export function listPlans({ services }: RequestContext): Reply {
  return jsonReply(200, { items: services.gateway.plans.versions(), nextCursor: null });
}

/** `POST /api/v1/dialplan/rollback` */
export function rollBackPlan({ body, services, principal }: RequestContext): Reply {
  const query = parseBody(versionSchema, body);
  if (!query.ok) return query.reply;
  const change = services.gateway.plans.rollBack(query.value.version, principal);
  return change === undefined
    ? errorReply(404, "ERR_OFFHOOK_HTTP_NOT_FOUND", "No plan of this version is kept.")
    : changeReply(change);
}

function changeReply(change: PlanChange | PlanComparison): Reply {
  if (change.ok) {
    const { ok: _, ...rest } = change;
    return jsonReply(200, rest);
  }
  const { problems } = change;
  const more = problems.length - MAX_PROBLEMS;
  const lines = [...problems.slice(0, MAX_PROBLEMS), ...(more > 0 ? [`and ${more} more`] : [])];
  return errorReply(422, "ERR_OFFHOOK_HTTP_PLAN_REFUSED", lines.join("\n"));
}
