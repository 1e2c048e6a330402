import type { HoldMusic, RecordingSettings } from "./call/sounds.ts";
import type { Config } from "./config/config.ts";
import { loadSoundFile } from "./media/sound/sound-file.ts";
import { synthesizeMusic, synthesizeTone } from "./media/sound/synthesis.ts";

/** The tone that tells of a recording (ITU-T E.180 Supplement 2, "recording tone"). */
const CONSENT_TONE_HZ = 1400;

/** Made or read when the first call is held. */
export function holdMusic(music: Config["media"]["music"]): HoldMusic | undefined {
  switch (music.kind) {
    case "off":
      return undefined;
    case "file":
      return { file: music.path, sound: () => loadSoundFile(music.path) };
    case "default": {
      let tune: Buffer | undefined;
      return {
        sound: () => {
          tune ??= synthesizeMusic();
          return Promise.resolve(tune);
        },
      };
    }
  }
}

/** Where calls are recorded to, and what both parties hear first. */
export function recordingSettings({ directory, consent }: Config["recording"]): RecordingSettings {
  switch (consent.kind) {
    case "none":
      return { directory, consent: undefined };
    case "file":
      return { directory, consent: () => loadSoundFile(consent.path) };
    case "tone": {
      const tone = synthesizeTone([CONSENT_TONE_HZ], 0.5);
      return { directory, consent: () => Promise.resolve(tone) };
    }
  }
}
