/** Line pictures on a 24-pixel grid. They say nothing by themselves: a word always stands beside. */

const HANDSET =
  "M6.6 3.5h2.2a1.2 1.2 0 0 1 1.2.9l.7 3a1.2 1.2 0 0 1-.4 1.2L8.7 9.9a12 12 0 0 0 5.4 5.4l1.3-1.6a1.2 1.2 0 0 1 1.2-.4l3 .7a1.2 1.2 0 0 1 .9 1.2v2.2a2.1 2.1 0 0 1-2.2 2.1A16.3 16.3 0 0 1 4.5 5.7a2.1 2.1 0 0 1 2.1-2.2z";

const PATHS = {
  phone: [HANDSET],
  "hang-up": [HANDSET],
  microphone: [
    "M12 3.5a2.7 2.7 0 0 1 2.7 2.7v5.1a2.7 2.7 0 0 1-5.4 0V6.2A2.7 2.7 0 0 1 12 3.5z",
    "M5.8 11v.4a6.2 6.2 0 0 0 12.4 0V11",
    "M12 17.6v3",
  ],
  "microphone-off": [
    "M9.3 6.2a2.7 2.7 0 0 1 5.4 0v4.6",
    "M9.3 9.6v1.7a2.7 2.7 0 0 0 4.3 2.2",
    "M5.8 11v.4a6.2 6.2 0 0 0 9.9 5",
    "M18.2 11v.4c0 .7-.1 1.4-.4 2",
    "M12 17.6v3",
    "M4 3.8l16 16.4",
  ],
  pause: ["M8.5 5.5v13", "M15.5 5.5v13"],
  play: ["M8 5.3v13.4l10.5-6.7z"],
  keypad: [
    "M6 6h.01M12 6h.01M18 6h.01",
    "M6 12h.01M12 12h.01M18 12h.01",
    "M6 18h.01M12 18h.01M18 18h.01",
  ],
  erase: ["M9.2 5.5h9.3a2 2 0 0 1 2 2v9a2 2 0 0 1-2 2H9.2L3.5 12z", "M11.5 9.5l5 5M16.5 9.5l-5 5"],
  settings: ["M4 7.5h8M16 7.5h4", "M4 16.5h4M12 16.5h8", "M14 5.5v4M10 14.5v4"],
  close: ["M6 6l12 12M18 6L6 18"],
  outgoing: ["M7 17L17 7M9.5 7H17v7.5"],
  incoming: ["M17 7L7 17M7 9.5V17h7.5"],
  missed: ["M20 7.5l-8 8-8-8", "M4 13V7.5h5.5"],
  transfer: ["M4 16.5V14a5 5 0 0 1 5-5h10.5", "M15.5 5l4 4-4 4"],
  camera: [
    "M4.5 7h9a1.5 1.5 0 0 1 1.5 1.5v7a1.5 1.5 0 0 1-1.5 1.5h-9A1.5 1.5 0 0 1 3 15.5v-7A1.5 1.5 0 0 1 4.5 7z",
    "M15 11l6-3.5v9L15 13",
  ],
  "add-call": ["M12 5.5v13M5.5 12h13"],
  warning: ["M12 4.2l9 15.3H3z", "M12 10v4.5M12 17h.01"],
  "add-person": [
    "M10 4.5a3.7 3.7 0 1 1 0 7.4 3.7 3.7 0 0 1 0-7.4z",
    "M3.5 19.8a6.5 6.5 0 0 1 11.2-4.5",
    "M18 14.5v6M15 17.5h6",
  ],
  edit: ["M4.5 19.5l1-4L16 5a1.8 1.8 0 0 1 3 3L8.5 18.5z", "M14 7l3 3"],
  back: ["M19 12H5.5M11 6l-6 6 6 6"],
  message: [
    "M5.5 5h13a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H11l-4.5 3.5V17h-1a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2z",
  ],
  clock: ["M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16z", "M12 7.8V12l3 2"],
  voicemail: [
    "M6.5 8.5a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7zM17.5 8.5a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7z",
    "M6.5 15.5h11",
  ],
  speaker: [
    "M4.5 9.5v5h3.2L12 18.5v-13L7.7 9.5z",
    "M15.5 9.2a4 4 0 0 1 0 5.6M18 6.8a7.4 7.4 0 0 1 0 10.4",
  ],
  "speaker-off": ["M4.5 9.5v5h3.2L12 18.5v-13L7.7 9.5z", "M15.5 9.5l5 5M20.5 9.5l-5 5"],
  moon: ["M19.5 14.2A7.8 7.8 0 0 1 9.8 4.5a7.8 7.8 0 1 0 9.7 9.7z"],
  person: ["M12 4.5a3.7 3.7 0 1 1 0 7.4 3.7 3.7 0 0 1 0-7.4z", "M4.8 19.8a7.2 7.2 0 0 1 14.4 0"],
} as const;

/** A picture's name. */
export type IconName = keyof typeof PATHS;

export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg
      class={`icon icon-${name}`}
      viewBox="0 0 24 24"
      width="24"
      height="24"
      fill="none"
      stroke="currentColor"
      stroke-width="1.8"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <g transform={name === "hang-up" ? "rotate(135 12 12)" : undefined}>
        {PATHS[name].map((path) => (
          <path key={path} d={path} />
        ))}
      </g>
    </svg>
  );
}
