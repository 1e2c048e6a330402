import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import phone from "./vite.config.ts";

/** Builds the gallery beside the phone, with files of its own. */
export default defineConfig({
  ...phone,
  publicDir: false,
  build: {
    ...phone.build,
    rolldownOptions: {
      input: { gallery: fileURLToPath(new URL("gallery.html", import.meta.url)) },
    },
  },
});
