import { isLoudEnd } from "./wording.ts";
import { screenOf, type Call } from "../state.ts";
import { CallScreen } from "./CallScreen.tsx";
import { IncomingScreen } from "./IncomingScreen.tsx";
import { ProblemScreen } from "./ProblemScreen.tsx";

export { LineBar } from "./LineBar.tsx";

/** The pane while it has a call in it: one that rings, one that is up, one that went wrong. */
export function CallPane(props: Parameters<typeof CallScreen>[0] & { readonly call: Call }) {
  const { state, call, actions } = props;
  if (screenOf(state) === "incoming") return <IncomingScreen call={call} actions={actions} />;
  if (call.end !== undefined && isLoudEnd(call.end)) {
    return <ProblemScreen state={state} call={call} end={call.end} actions={actions} />;
  }
  return <CallScreen {...props} />;
}
