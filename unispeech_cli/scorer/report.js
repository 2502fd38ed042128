"use strict";

// tables sort by the heading that is pressed: numbers from high to low first, names from a to z first
const value = (row, column) => row.cells[column].dataset.sort ?? row.cells[column].textContent;

function compare(a, b, number) {
  if (!number) return a.localeCompare(b, undefined, { numeric: true });
  if (a === "" || b === "") return (a === "") - (b === "") || 0;
  return a - b;
}

function sort(table, column, number, descending) {
  const body = table.tBodies[0];
  const rows = [...body.rows].sort((first, second) => {
    const [a, b] = [value(first, column), value(second, column)];
    const empty = (a === "") - (b === "");
    return empty || (descending ? -1 : 1) * compare(a, b, number);
  });
  body.append(...rows);
}

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const number = head.classList.contains("number");
      const before = head.getAttribute("aria-sort");
      const descending = before ? before === "ascending" : number;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      sort(table, column, number, descending);
    });
  });
}

// a confusion picture says in words what the pointed or tapped cell is
for (const picture of document.querySelectorAll(".picture")) {
  const output = picture.querySelector("output");
  const say = (event) => {
    const said = event.target.closest?.("[data-say]")?.dataset.say;
    if (said) output.textContent = said;
  };
  picture.addEventListener("pointerover", say);
  picture.addEventListener("click", say);
}

// a heard token plays the audio from where it was heard; the one that sounds is marked
for (const card of document.querySelectorAll(".cards > li")) {
  const audio = card.querySelector("audio");
  if (!audio) continue;
  const tokens = [...card.querySelectorAll("[data-at]")];
  card.classList.toggle("timed", tokens.length > 0);
  card.addEventListener("click", (event) => {
    const token = event.target.closest("[data-at]");
    if (!token) return;
    audio.currentTime = Number(token.dataset.at);
    audio.play();
  });
  audio.addEventListener("timeupdate", () => {
    for (const line of card.querySelectorAll(".alignment")) {
      const mine = [...line.querySelectorAll("[data-at]")];
      const now = audio.ended ? undefined : mine.filter((t) => t.dataset.at <= audio.currentTime + 0.02).pop();
      mine.forEach((token) => token.classList.toggle("now", token === now && !audio.paused));
    }
  });
  // one at a time
  audio.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
  });
}

// the worst utterances in another order
for (const list of document.querySelectorAll("ol.cards")) {
  const orders = { "error rate": "rate", "number of errors": "errors", length: "seconds" };
  const select = document.createElement("select");
  for (const [name, key] of Object.entries(orders)) select.add(new Option(name, key));
  const label = document.createElement("label");
  label.append("Ordered by ", select);
  list.before(label);
  select.addEventListener("change", () => {
    const cards = [...list.children].sort((a, b) => b.dataset[select.value] - a.dataset[select.value]);
    list.append(...cards);
  });
}
