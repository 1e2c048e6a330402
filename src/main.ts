import { main } from "./cli/main.ts";

/** The process: `offhook COMMAND …`. */
process.exitCode = await main(process.argv.slice(2));
