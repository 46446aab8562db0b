/** Many refused messages: asks for one step after the other, each some two seconds long, and shows how far it is. */
const form = document.querySelector("form[data-bulk]");
const bar = form.querySelector("progress");
const said = form.querySelector("[data-said]");
const refusals = form.querySelector("[data-refusals]");
const start = form.querySelector("[data-start]");
const stop = form.querySelector("[data-stop]");
const numbers = new Intl.NumberFormat("en-GB");
const sums = { replayed: 0, discarded: 0, samples: 0, duplicates: 0, refused: 0 };
const reasons = new Map();
let after = Number(form.dataset.after);
let running = false;

function show(finished) {
  const done = sums.replayed + sums.discarded + sums.refused;
  bar.value = finished ? bar.max : Math.min(done, bar.max);
  const parts = form.dataset.bulk === "replay"
    ? [`${numbers.format(sums.replayed)} replayed`, `${numbers.format(sums.samples)} samples stored`,
       `${numbers.format(sums.duplicates)} known before`, `${numbers.format(sums.refused)} still refused`]
    : [`${numbers.format(sums.discarded)} discarded`];
  said.textContent = `${finished ? "Done: " : `${numbers.format(done)} of ${numbers.format(bar.max)}: `}${parts.join(", ")}.`;
  refusals.replaceChildren(...[...reasons].map(([reason, count]) => {
    const line = document.createElement("li");
    line.textContent = `${numbers.format(count)} still refused: ${reason}`;
    return line;
  }));
}

async function step() {
  const body = new FormData(form);
  body.set("after", after);
  body.set("until", form.dataset.until);
  const response = await fetch(location.href, { method: "POST", body, headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(`The server answered ${response.status}.`);
  const answer = await response.json();
  for (const key of Object.keys(sums)) sums[key] += answer[key];
  for (const [reason, count] of Object.entries(answer.refusals)) reasons.set(reason, (reasons.get(reason) ?? 0) + count);
  after = answer.after;
  return answer.finished;
}

async function run() {
  running = true;
  start.hidden = true;
  stop.hidden = false;
  bar.hidden = false;
  let finished = false;
  try {
    while (running && !finished) {
      finished = await step();
      show(finished);
    }
    if (!finished) said.textContent += " Stopped: what is done stays done.";
  } catch (error) {
    said.textContent = `${error.message} What is done stays done; start again to go on.`;
  }
  running = false;
  stop.hidden = true;
  start.hidden = finished;
}

form.addEventListener("submit", (event) => { event.preventDefault(); run(); });
stop.addEventListener("click", () => { running = false; });
