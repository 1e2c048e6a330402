const phone = document.querySelector("sip-phone");
const line = document.querySelector("#status");

const say = (text) => {
  line.textContent = text;
};

document.addEventListener("click", (event) => {
  const link = event.target.closest?.('a[href^="tel:"]');
  if (!link) return;
  event.preventDefault();
  const number = decodeURIComponent(link.getAttribute("href").slice(4));
  if (phone.isReady) phone.dial(number);
  else phone.prefill(number);
});

phone.addEventListener("ready", () => say("Click a number to call it."));
phone.addEventListener("unready", () => say("The phone is not connected."));
phone.addEventListener("call", ({ detail }) => say(`Call with ${detail.name ?? detail.number}`));
phone.addEventListener("end", ({ detail }) =>
  say(`Ended (${detail.kind}) after ${Math.round(detail.durationMs / 1000)} s`),
);
