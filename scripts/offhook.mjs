#!/usr/bin/env -S node --max-semi-space-size=8 --heap-growing-percent=60 --v8-pool-size=1
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { runInForeground } from "./setup/foreground.mjs";
import { PINNED_NODE_FLAGS } from "./setup/node-flags.mjs";
import { isNewEnough, pinnedNode } from "./setup/npm-packages.mjs";

// The `offhook` command. The sources are TypeScript that Node runs as it is; a Node that is too old
// for that hands over to the one that the package pins.

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
if (isNewEnough(process.version)) {
  await import("../src/main.ts");
} else {
  const node = pinnedNode(root);
  if (!existsSync(node)) {
    process.stderr.write("offhook needs its npm packages; install them with:\n\n  npm start\n\n");
    process.exit(1);
  }
  const code = await runInForeground(
    node,
    [...PINNED_NODE_FLAGS, join(root, "src/main.ts"), ...process.argv.slice(2)],
    {
      cwd: process.cwd(),
      env: process.env,
    },
  );
  process.exit(code);
}
