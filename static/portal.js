// What every portal page shares: copy buttons, and the CSV of exactly the chart that is on screen.
import { say } from "./say.js";

const said = (button, word) => {
  const label = button.textContent;
  button.textContent = word;
  setTimeout(() => (button.textContent = label), 1600);
};

document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-copy], [data-copy-url], [data-csv]");
  if (!button) return;
  if (button.dataset.csv) {
    const url = URL.createObjectURL(new Blob([document.getElementById(button.dataset.csv).csv()], { type: "text/csv" }));
    Object.assign(document.createElement("a"), { href: url, download: "usage.csv" }).click();
    return setTimeout(() => URL.revokeObjectURL(url), 1000);
  }
  const source = button.dataset.copy && document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source ? source.textContent : location.href);
    said(button, say("Copied"));
  } catch {
    if (source) getSelection().selectAllChildren(source); // no permission: select it, and the reader presses Ctrl+C
    said(button, source ? say("Selected") : say("Not allowed"));
  }
});

// The explorer: any choice is made at once, and the address says what is shown. Without scripts its button does the same.
const explorer = document.querySelector("[data-explorer]");
if (explorer) {
  const days = explorer.querySelector("[data-custom]");
  const ask = () => {
    const fields = [...new FormData(explorer)].filter(([name, value]) => value && (!days.hidden || (name !== "first" && name !== "last")));
    location.search = new URLSearchParams(fields);
  };
  explorer.querySelector("[type=submit]").hidden = days.hidden;
  explorer.addEventListener("change", ({ target }) => {
    const custom = explorer.elements.range.value === "custom";
    explorer.querySelector("[type=submit]").hidden = days.hidden = !custom;
    if (!custom || !["range", "first", "last"].includes(target.name)) ask();
  });
}
