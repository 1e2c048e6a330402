import { createRequire } from "node:module";
import { build } from "vite";

/**
 * A SIP client of the npm registry as one script, as its users bundle it.
 *
 * @param globalName what the script calls it: `window[globalName]`
 */
export async function bundleClient(packageName: string, globalName: string): Promise<string> {
  const built = await build({
    configFile: false,
    logLevel: "silent",
    build: {
      write: false,
      minify: false,
      lib: {
        entry: createRequire(import.meta.url).resolve(packageName),
        formats: ["iife"],
        name: globalName,
      },
    },
  });
  const [output] = Array.isArray(built) ? built : [];
  const chunk = output?.output.find((part) => part.type === "chunk");
  if (chunk?.type !== "chunk") throw new Error(`${packageName} was not bundled`);
  return chunk.code;
}
