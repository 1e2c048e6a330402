const phone = document.querySelector("sip-phone");
const events = document.querySelector("#events");
const dial = document.querySelector("#dial");

for (const name of ["signed-in", "signed-out", "ready", "unready", "call", "connected", "end"]) {
  phone.addEventListener(name, (event) => {
    events.textContent += `${name} ${JSON.stringify(event.detail)}\n`;
    dial.disabled = !phone.isReady;
  });
}
dial.addEventListener("click", () => phone.dial(document.querySelector("#number").value));
document.querySelector("#hangup").addEventListener("click", () => phone.hangup());
