import { z } from "zod";
import type { CallView } from "../call/record.ts";
import type { Binding } from "../signaling/engine.ts";
import { diffPlan, listPlans, reloadPlan, rollBackPlan } from "./dialplan.ts";
import { formatCursor, pageByKey, parsePageQuery, type Page } from "./paging.ts";
import { errorReply, jsonReply, textReply, type Reply } from "./reply.ts";
import type { RequestContext, Route } from "./route.ts";
import { signIn } from "./session.ts";
import { changeOwn, changeUser, showOwn, showUser, userView } from "./users.ts";
import { parseBody } from "./validation.ts";

/** A plan of some ten thousand routes. */
export const MAX_DRAFT_OCTETS = 4 * 1024 * 1024;

/** Three numbers and a switch. */
export const MAX_SETTINGS_OCTETS = 4 * 1024;

/**
 * Every path that is not a file of the web phone. Who may use which is written here and nowhere
 * else; docs/api.md names each row.
 */
export const ROUTES: readonly Route[] = [
  { method: "GET", path: "/healthz", role: "public", handler: () => textReply(200, "ok") },
  { method: "GET", path: "/readyz", role: "public", handler: readiness },
  { method: "GET", path: "/metrics", role: "public", handler: metrics },
  { method: "GET", path: "/ws", role: "public", handler: upgradeRequired },
  { method: "GET", path: "/console", role: "public", handler: noConsole },
  { method: "GET", path: "/console/", role: "public", handler: noConsole },
  { method: "POST", path: "/api/v1/session", role: "public", handler: signIn },
  { method: "GET", path: "/api/v1/me", role: "user", handler: showOwn },
  {
    method: "POST",
    path: "/api/v1/me",
    role: "user",
    handler: changeOwn,
    maxBodyOctets: MAX_SETTINGS_OCTETS,
  },
  { method: "GET", path: "/api/v1/calls", role: "viewer", handler: listCalls },
  { method: "GET", path: "/api/v1/calls/{id}", role: "viewer", handler: showCall },
  { method: "DELETE", path: "/api/v1/calls/{id}", role: "operator", handler: hangUp },
  { method: "POST", path: "/api/v1/calls/{id}/recording", role: "operator", handler: record },
  { method: "GET", path: "/api/v1/registrations", role: "viewer", handler: listRegistrations },
  { method: "GET", path: "/api/v1/users", role: "viewer", handler: listUsers },
  { method: "GET", path: "/api/v1/users/{id}", role: "viewer", handler: showUser },
  { method: "POST", path: "/api/v1/users/{id}", role: "operator", handler: changeUser },
  { method: "GET", path: "/api/v1/trunks", role: "viewer", handler: listTrunks },
  { method: "GET", path: "/api/v1/bans", role: "operator", handler: listBans },
  { method: "DELETE", path: "/api/v1/bans/{id}", role: "operator", handler: liftBan },
  { method: "GET", path: "/api/v1/media/nodes", role: "viewer", handler: listMediaNodes },
  { method: "POST", path: "/api/v1/media/nodes/{id}", role: "operator", handler: drainMediaNode },
  { method: "GET", path: "/api/v1/cdrs", role: "viewer", handler: listRecords },
  { method: "POST", path: "/api/v1/dialplan/simulate", role: "viewer", handler: simulate },
  { method: "POST", path: "/api/v1/dialplan/reload", role: "admin", handler: reloadPlan },
  {
    method: "POST",
    path: "/api/v1/dialplan/diff",
    role: "admin",
    handler: diffPlan,
    maxBodyOctets: MAX_DRAFT_OCTETS,
  },
  { method: "GET", path: "/api/v1/dialplan/versions", role: "viewer", handler: listPlans },
  { method: "POST", path: "/api/v1/dialplan/rollback", role: "admin", handler: rollBackPlan },
];

/** Of Prometheus' text format. */
const METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

const CALL_NOT_FOUND = "No live call has this id. Ended calls are in /api/v1/cdrs.";

function readiness({ services }: RequestContext): Reply {
  const state = services.gateway.readiness();
  return jsonReply(state.ready ? 200 : 503, { ready: state.ready, reasons: state.reasons });
}

function metrics({ services }: RequestContext): Reply {
  return {
    status: 200,
    headers: { "Content-Type": METRICS_CONTENT_TYPE },
    body: services.metrics.render(),
  };
}

function upgradeRequired(): Reply {
  return errorReply(
    426,
    "ERR_OFFHOOK_HTTP_UPGRADE_REQUIRED",
    "This is SIP over WebSocket (RFC 7118): open it as a WebSocket with the subprotocol sip.",
    // RFC 9110 §15.5.22
    { Upgrade: "websocket", Connection: "Upgrade, close" },
  );
}

function noConsole(): Reply {
  return textReply(404, "The operator's console comes with a later version.");
}

function listCalls({ query, services }: RequestContext): Reply {
  // The start comes first, so that pages are in the order of time.
  return listReply(query, services.gateway.calls(), (call) => `${call.startedAt} ${call.id}`);
}

function showCall({ id, services }: RequestContext): Reply {
  const call: CallView | undefined = services.gateway.call(id);
  return call === undefined
    ? errorReply(404, "ERR_OFFHOOK_HTTP_NOT_FOUND", CALL_NOT_FOUND)
    : jsonReply(200, call);
}

function hangUp({ id, services }: RequestContext): Reply {
  return services.gateway.hangUp(id)
    ? { status: 204 }
    : errorReply(404, "ERR_OFFHOOK_HTTP_NOT_FOUND", CALL_NOT_FOUND);
}

const recordingSchema = z.strictObject({ action: z.enum(["start", "stop"]) });

function record({ body, id, services }: RequestContext): Reply {
  const command = parseBody(recordingSchema, body);
  if (!command.ok) return command.reply;
  const { action } = command.value;
  const isDone = services.gateway.record(id, action);
  if (isDone === undefined) return errorReply(404, "ERR_OFFHOOK_HTTP_NOT_FOUND", CALL_NOT_FOUND);
  if (isDone) return jsonReply(202, { action });
  const why =
    action === "start"
      ? "The call is recorded already, or has no two parties yet."
      : "The call is not recorded now.";
  return errorReply(409, "ERR_OFFHOOK_HTTP_RECORDING", why);
}

function listRegistrations({ query, services }: RequestContext): Reply {
  return listReply(
    query,
    services.gateway.registrations(),
    (binding) => `${binding.userId} ${binding.id}`,
    registrationView,
  );
}

function registrationView(binding: Binding): object {
  return {
    id: binding.id,
    userId: binding.userId,
    instanceId: binding.instanceId,
    ...(binding.regId === undefined ? {} : { regId: binding.regId }),
    contactUri: binding.contactUri,
    ...(binding.userAgent === undefined ? {} : { userAgent: binding.userAgent }),
    remoteAddress: binding.remoteAddress,
    registeredAt: new Date(binding.registeredAtMs).toISOString(),
    expiresAt: new Date(binding.expiresAtMs).toISOString(),
  };
}

function listUsers({ query, services }: RequestContext): Reply {
  return listReply(query, services.gateway.users.all(), ({ id }) => id, userView);
}

function listTrunks({ query, services }: RequestContext): Reply {
  return listReply(query, services.gateway.trunks(), (trunk) => trunk.id);
}

function listBans({ query, services }: RequestContext): Reply {
  return listReply(
    query,
    services.gateway.bans(),
    (ban) => `${ban.address} ${ban.reason} ${ban.way}`,
  );
}

function liftBan({ id, services }: RequestContext): Reply {
  return services.gateway.liftBan(id)
    ? { status: 204 }
    : errorReply(404, "ERR_OFFHOOK_HTTP_NOT_FOUND", "This address is not banned.");
}

function listMediaNodes({ query, services }: RequestContext): Reply {
  return listReply(
    query,
    services.gateway.mediaNodes(),
    ({ name }) => name,
    ({ isDraining, ...node }) => ({ ...node, draining: isDraining }),
  );
}

const drainSchema = z.strictObject({
  drain: z.boolean(),
  move: z.boolean().exactOptional(),
});

function drainMediaNode({ id, body, services }: RequestContext): Reply {
  const query = parseBody(drainSchema, body);
  if (!query.ok) return query.reply;
  const { drain, move = false } = query.value;
  const node = services.gateway.drainMediaNode(id, { drain, move });
  if (node === undefined) {
    return errorReply(404, "ERR_OFFHOOK_HTTP_NOT_FOUND", "No rtpengine has this name.");
  }
  const { isDraining, ...view } = node;
  return jsonReply(200, { ...view, draining: isDraining });
}

function listRecords({ query, services }: RequestContext): Reply {
  const pageQuery = parsePageQuery(query);
  if (!pageQuery.ok) return pageQuery.reply;
  const before = pageQuery.after === undefined ? undefined : Number(pageQuery.after);
  if (before !== undefined && !(Number.isSafeInteger(before) && before >= 0)) {
    return errorReply(
      400,
      "ERR_OFFHOOK_HTTP_BAD_REQUEST",
      "cursor must be the nextCursor of an earlier page.",
    );
  }
  const { items, next } = services.gateway.records().page({ limit: pageQuery.limit, before });
  const page: Page<object> = {
    items,
    nextCursor: next === undefined ? null : formatCursor(String(next)),
  };
  return jsonReply(200, page);
}

const simulationSchema = z.strictObject({
  from: z.string().min(1).max(128).exactOptional(),
  to: z.string().min(1).max(128),
  trunk: z.string().min(1).max(128).exactOptional(),
  at: z.string().max(64).exactOptional(),
  dialplan: z.unknown().exactOptional(),
});

function simulate({ body, services }: RequestContext): Reply {
  const query = parseBody(simulationSchema, body);
  if (!query.ok) return query.reply;
  const simulation = services.gateway.simulate(query.value);
  return simulation.ok
    ? jsonReply(200, simulation.result)
    : errorReply(400, "ERR_OFFHOOK_HTTP_SIMULATION", simulation.message);
}

function listReply<Item extends object>(
  query: URLSearchParams,
  items: Iterable<Item>,
  keyOf: (item: Item) => string,
  viewOf: (item: Item) => object = (item) => item,
): Reply {
  const pageQuery = parsePageQuery(query);
  if (!pageQuery.ok) return pageQuery.reply;
  const page = pageByKey(items, keyOf, pageQuery);
  return jsonReply(200, { items: page.items.map(viewOf), nextCursor: page.nextCursor });
}
