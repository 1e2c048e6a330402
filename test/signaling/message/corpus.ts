import { readFileSync } from "node:fs";
import { z } from "zod";

const ROOT = new URL("../../fixtures/sip/", import.meta.url);

const Manifest = z.object({
  files: z.array(
    z.object({
      file: z.string(),
      title: z.string().optional(),
      outcome: z.enum(["accept", "refuse", "either"]),
      statuses: z.array(z.number()).optional(),
      lacks: z.string().optional(),
      answers: z.object({
        trunk: z.number().nullable(),
        browser: z.number().nullable(),
        stranger: z.number().nullable(),
        stream: z
          .object({
            statuses: z.array(z.number()),
            isClosed: z.boolean().default(false),
            waits: z.boolean().default(false),
            probe: z.number().default(200),
          })
          .optional(),
      }),
      why: z.string().optional(),
    }),
  ),
});

/** A file of test/fixtures/sip and what the parser must do with it. */
export interface CorpusFile extends z.infer<(typeof Manifest)["shape"]["files"]["element"]> {
  readonly octets: Buffer;
}

/** The files of the manifest whose path begins with `folder`. */
export function corpus(folder = ""): readonly CorpusFile[] {
  const manifest = Manifest.parse(JSON.parse(readFileSync(new URL("manifest.json", ROOT), "utf8")));
  return manifest.files
    .filter(({ file }) => file.startsWith(folder))
    .map((entry) => ({ ...entry, octets: readFileSync(new URL(entry.file, ROOT)) }));
}
