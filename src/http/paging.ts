import { errorReply, type Reply } from "./reply.ts";

/** Items a page has when the request names no limit, and the most that it can have. */
export const DEFAULT_PAGE_LIMIT = 100;
export const MAX_PAGE_LIMIT = 1000;

/** The body of every list. */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** Give it as `cursor` for the next page; null on the last one. */
  readonly nextCursor: string | null;
}

/** `limit` and `cursor` of a request. `after` is what the cursor holds. */
export type PageQuery =
  | { readonly ok: true; readonly limit: number; readonly after: string | undefined }
  | { readonly ok: false; readonly reply: Reply };

const MAX_CURSOR_LENGTH = 1024;

/** Reads `?limit=` and `?cursor=`. */
export function parsePageQuery(query: URLSearchParams): PageQuery {
  const limitText = query.get("limit");
  const limit = limitText === null ? DEFAULT_PAGE_LIMIT : Number(limitText);
  if (limitText === "" || !Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE_LIMIT) {
    return refuse(`limit must be a whole number from 1 to ${MAX_PAGE_LIMIT}.`);
  }
  const cursor = query.get("cursor");
  if (cursor === null) return { ok: true, limit, after: undefined };
  const after = Buffer.from(cursor.slice(0, MAX_CURSOR_LENGTH), "base64url").toString("utf8");
  if (cursor === "" || formatCursor(after) !== cursor) {
    return refuse("cursor must be the nextCursor of an earlier page.");
  }
  return { ok: true, limit, after };
}

/** A position in a list as an opaque word that needs no escaping in a URL. */
export function formatCursor(position: string): string {
  return Buffer.from(position, "utf8").toString("base64url");
}

/**
 * One page of a list in the order of its keys. Because the cursor is a key and not a count, an item
 * that comes or goes between two pages makes no other one appear twice or vanish.
 *
 * @param keyOf unique, and the same for an item's whole life
 */
export function pageByKey<Item>(
  items: Iterable<Item>,
  keyOf: (item: Item) => string,
  query: { readonly limit: number; readonly after: string | undefined },
): Page<Item> {
  const { after, limit } = query;
  const rest: { readonly key: string; readonly item: Item }[] = [];
  for (const item of items) {
    const key = keyOf(item);
    if (after === undefined || key > after) rest.push({ key, item });
  }
  rest.sort((a, b) => (a.key < b.key ? -1 : 1));
  const page = rest.slice(0, limit);
  const last = rest.length > limit ? page.at(-1) : undefined;
  return {
    items: page.map(({ item }) => item),
    nextCursor: last === undefined ? null : formatCursor(last.key),
  };
}

function refuse(message: string): PageQuery {
  return { ok: false, reply: errorReply(400, "ERR_OFFHOOK_HTTP_BAD_REQUEST", message) };
}
