import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { leanSip } from "./vite.sip.ts";

const root = fileURLToPath(new URL(".", import.meta.url));

/**
 * Builds the custom element into `web-phone/dist/embed/`: one script at an address that never
 * changes, with its styles inside, and the languages as files beside it.
 */
export default defineConfig({
  root,
  base: "./",
  publicDir: false,
  plugins: [leanSip()],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "dist/embed",
    emptyOutDir: false,
    target: "es2023",
    assetsInlineLimit: 0,
    modulePreload: false,
    rolldownOptions: {
      input: { "sip-phone": `${root}src/embed/sip-phone.ts` },
      output: {
        entryFileNames: "[name].js",
        chunkFileNames: "assets/[name]-[hash].js",
      },
    },
  },
});
