import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { leanSip } from "./vite.sip.ts";

const root = fileURLToPath(new URL(".", import.meta.url));

/**
 * Builds the web phone into `web-phone/dist/`, which the gateway serves at `/`. Addresses are
 * relative, so that any mount point works, and nothing is inlined, so that the pages live under
 * `script-src 'self'; style-src 'self'; img-src 'self'`. `scripts/build-phone.mjs` empties the
 * directory and builds the custom element too.
 */
export default defineConfig({
  root,
  base: "./",
  plugins: [leanSip()],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  server: {
    proxy: { "/api": "http://127.0.0.1:8080", "/ws": { target: "ws://127.0.0.1:8080", ws: true } },
  },
  build: {
    outDir: "dist",
    emptyOutDir: false,
    target: "es2023",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: {
        index: `${root}index.html`,
        sw: `${root}service-worker/sw.ts`,
      },
      output: {
        // A service worker's address is its identity, and its directory is its reach.
        entryFileNames: (chunk) => (chunk.name === "sw" ? "sw.js" : "assets/[name]-[hash].js"),
      },
    },
  },
});
