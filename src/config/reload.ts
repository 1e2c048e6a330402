import { z } from "zod";

import { flag } from "../dialplan/scalar.ts";

/** `reload` of the file. */
export const reloadSchema = z.strictObject({
  watch: flag().optional().meta({
    description:
      "Take over a change of the file, or of one that its dialplan includes, by itself; `false`: at `SIGHUP` and by the API only",
    default: "true",
    example: "false",
  }),
});
