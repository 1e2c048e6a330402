const phone = document.querySelector("sip-phone");
const colleagues = new Map([
  ["1001", "Ann Lee"],
  ["1002", "Bob Ray"],
]);

function row(...parts) {
  const item = document.createElement("li");
  item.append(...parts);
  return item;
}

function span(text) {
  const element = document.createElement("span");
  element.textContent = text;
  return element;
}

function button(text, onClick) {
  const element = document.createElement("button");
  element.type = "button";
  element.textContent = text;
  element.addEventListener("click", onClick);
  return element;
}

function showLines(calls) {
  document.querySelector("#no-lines").hidden = calls.length > 0;
  document.querySelector("#lines").replaceChildren(
    ...calls.map(({ id, name, number, state }) => {
      const item = row(span(name ?? number), span(state));
      item.dataset.state = state;
      if (state === "incoming") item.append(button("Answer", () => phone.answer(id)));
      if (state === "local-hold") item.append(button("Talk", () => phone.activate(id)));
      item.append(button("End", () => phone.hangup(id)));
      return item;
    }),
  );
}

function showColleagues(lamps) {
  document.querySelector("#colleagues").replaceChildren(
    ...[...colleagues].map(([number, name]) => {
      const lamp = span(name);
      const state = lamps.get(number) ?? "unknown";
      lamp.className = "lamp";
      lamp.dataset.state = state;
      lamp.dataset.number = number;
      return row(
        lamp,
        span(state),
        button("Call", () => phone.dial(number)),
      );
    }),
  );
}

const lamps = new Map();
phone.addEventListener("calls", ({ detail }) => showLines(detail.calls));
phone.addEventListener("lamp", ({ detail }) => {
  lamps.set(detail.number, detail.state);
  showColleagues(lamps);
});
phone.addEventListener("end", ({ detail }) => {
  const seconds = Math.round(detail.durationMs / 1000);
  document
    .querySelector("#log")
    .prepend(row(span(detail.name ?? detail.number), span(`${detail.kind}, ${seconds} s`)));
});
showLines([]);
showColleagues(lamps);
