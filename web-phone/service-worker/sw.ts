/**
 * The phone's service worker: keeps the page's own files, so that the phone opens without a network
 * and can say that it is offline, and shows incoming calls as notifications of the system. It never
 * touches the API, the WebSocket or another origin.
 */
const worker = self as unknown as ServiceWorkerGlobalScope;

const CACHE = "offhook-shell";
const PAGE = "./";
/** Files with their content's hash in the name: they never change. */
const HASHED = /\/assets\/[^/]+-[\w-]{8}\.\w+$/;
const KEPT_FILES = 60;

/** What the page asks for; see `notifications.ts`. */
interface ShowCall {
  readonly type: "show-call";
  readonly callId: string;
  readonly title: string;
  readonly body: string;
  readonly answer: string;
  readonly decline: string;
}

interface HideCalls {
  readonly type: "hide-calls";
}

/** See `keep-files.ts`. */
interface KeepFiles {
  readonly type: "keep-files";
  readonly files: readonly string[];
}

function isRequest(data: unknown): data is ShowCall | HideCalls | KeepFiles {
  if (typeof data !== "object" || data === null || !("type" in data)) return false;
  if (data.type === "keep-files") return "files" in data && Array.isArray(data.files);
  return data.type === "show-call" || data.type === "hide-calls";
}

async function keepShell(): Promise<void> {
  const cache = await caches.open(CACHE);
  const response = await fetch(PAGE, { cache: "no-cache" });
  if (!response.ok) throw new Error(`the page came with ${response.status}`);
  await keepPage(cache, response.clone());
}

/** Keeps the page, and the files that it names so that it starts without a network. */
async function keepPage(cache: Cache, response: Response): Promise<void> {
  const html = await response.clone().text();
  await cache.put(PAGE, response);
  const files = [...html.matchAll(/(?:href|src)="(\.\/[^"]+)"/g)].map(([, file]) => file ?? "");
  const missing: string[] = [];
  for (const file of files) if ((await cache.match(file)) === undefined) missing.push(file);
  await cache.addAll(missing);
  const keys = await cache.keys();
  for (const old of keys.slice(0, Math.max(0, keys.length - KEPT_FILES))) await cache.delete(old);
}

/** Keeps those of the files that are ours and never change. */
async function keepFiles(files: readonly string[]): Promise<void> {
  const cache = await caches.open(CACHE);
  const scope = new URL(worker.registration.scope);
  const ours = files.filter((name) => {
    const url = new URL(name, scope);
    return url.origin === scope.origin && HASHED.test(url.pathname);
  });
  for (const one of ours.slice(0, KEPT_FILES)) {
    if ((await cache.match(one)) === undefined) await cache.add(one);
  }
}

/** The newest page; the kept one when there is no network. */
async function page(request: Request): Promise<Response> {
  const cache = await caches.open(CACHE);
  try {
    const response = await fetch(request);
    if (response.ok && response.type === "basic") await keepPage(cache, response.clone());
    return response;
  } catch (error) {
    const kept = await cache.match(PAGE);
    if (kept !== undefined) return kept;
    throw error;
  }
}

async function file(request: Request): Promise<Response> {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request);
  if (kept !== undefined) return kept;
  const response = await fetch(request);
  if (response.ok) await cache.put(request, response.clone());
  return response;
}

async function showCall(call: ShowCall): Promise<void> {
  const options: NotificationOptions & { readonly actions: readonly object[] } = {
    body: call.body,
    tag: "offhook-call",
    requireInteraction: true,
    icon: "./icon-192.png",
    data: { callId: call.callId },
    actions: [
      { action: "answer", title: call.answer },
      { action: "decline", title: call.decline },
    ],
  };
  await worker.registration.showNotification(call.title, options);
}

async function hideCalls(): Promise<void> {
  const shown = await worker.registration.getNotifications({ tag: "offhook-call" });
  for (const one of shown) one.close();
}

/** A click on the notification goes to the page, which knows whether the call still rings. */
async function clicked(action: string, callId: unknown): Promise<void> {
  const pages = await worker.clients.matchAll({ type: "window", includeUncontrolled: true });
  for (const client of pages) {
    client.postMessage({ type: "call-notification", action, callId }, []);
  }
  if (action === "decline") return;
  const [first] = pages;
  if (first === undefined) await worker.clients.openWindow(PAGE);
  else await first.focus().catch(() => undefined);
}

worker.addEventListener("install", (event) => {
  event.waitUntil(keepShell().then(() => worker.skipWaiting()));
});

worker.addEventListener("activate", (event) => {
  event.waitUntil(worker.clients.claim());
});

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  const scope = new URL(worker.registration.scope);
  if (request.method !== "GET" || url.origin !== scope.origin) return;
  if (request.mode === "navigate" && url.pathname === scope.pathname) {
    event.respondWith(page(request));
  } else if (HASHED.test(url.pathname)) {
    event.respondWith(file(request));
  }
});

worker.addEventListener("message", (event) => {
  const request: unknown = event.data;
  if (!isRequest(request)) return;
  event.waitUntil(fulfil(request));
});

async function fulfil(request: ShowCall | HideCalls | KeepFiles): Promise<void> {
  switch (request.type) {
    case "show-call":
      return await showCall(request);
    case "hide-calls":
      return await hideCalls();
    case "keep-files":
      return await keepFiles(request.files);
  }
}

worker.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const data: unknown = event.notification.data;
  const callId = typeof data === "object" && data !== null && "callId" in data ? data.callId : "";
  event.waitUntil(clicked(event.action, callId));
});
