import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const root = fileURLToPath(new URL(".", import.meta.url));

/**
 * Builds the web phone into `web-phone/dist/`, which the gateway serves at `/`. Addresses are
 * relative, so that any mount point works, and nothing is inlined, so that the pages live under
 * `script-src 'self'; style-src 'self'; img-src 'self'`.
 */
export default defineConfig({
  root,
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  server: {
    proxy: { "/api": "http://127.0.0.1:8080", "/ws": { target: "ws://127.0.0.1:8080", ws: true } },
  },
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2023",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: { index: `${root}index.html`, gallery: `${root}gallery.html` },
    },
  },
});
