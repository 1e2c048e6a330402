import { MediaError } from "../../src/media/errors.ts";

/** The MediaError that a promise rejects with. @throws when it does anything else */
export async function rejectionOf(promise: Promise<unknown>): Promise<MediaError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof MediaError) return error;
    throw error;
  }
  throw new Error("the promise was fulfilled");
}
