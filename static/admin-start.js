/** The admin's start page: figures every five seconds, and the fleet's cores in use, once a second, pushed over /ws/fleet/. */
import "./usage-chart.js";

const ASK_MS = 5_000;
const KEEP_MS = 15 * 60_000;
const LATE_MS = 60_000; // a machine counts with its newest point until that is a minute old
const SILENCE_MS = 15_000;
const OVERLAP_MS = 120_000; // a sample may be stored that long after its end
const BACK_OFF_MS = [500, 1_000, 2_000, 5_000, 10_000];
const NOT_ALLOWED = [4401, 4404];

const start = document.querySelector("[data-fleet]");
const chart = start.querySelector("usage-chart");
const rates = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 1 });
const last = new Map(); // machine -> its newest point that is drawn
const known = new Map(); // machine -> time of its newest point heard
let queue = [];
let heard = 0; // when the newest point came
let drawn = 0; // the last second drawn
let offset = 0; // the server's clock minus ours
let before; // the counter of messages as last asked
let tries = 0;
let socket;

const now = () => Date.now() + offset;
const isNew = ({ machine, t }) => t > (known.get(machine) ?? 0) && known.set(machine, t);

function take(points) {
  const fresh = points.filter(isNew);
  if (fresh.length) heard = now();
  queue = [...queue, ...fresh].sort((a, b) => a.t - b.t);
}

/** Draw each second up to now with what has been heard until then. In silence the picture stands still and says so. */
function draw() {
  const until = Math.floor(now() / 1000) * 1000;
  if (until - heard > SILENCE_MS) return;
  if (!drawn) {
    if (!queue.length) return;
    drawn = Math.max(until - KEEP_MS, Math.floor(queue[0].t / 1000) * 1000);
  }
  const made = [];
  for (let at = drawn + 1000; at <= until; at += 1000) {
    while (queue.length && queue[0].t <= at) last.set(queue[0].machine, queue.shift());
    const cores = [...last.values()].filter(({ t, cores }) => at - t <= LATE_MS && cores !== null).map(({ cores }) => cores);
    made.push({ t: at, v: cores.length ? cores.reduce((a, b) => a + b, 0) : NaN });
  }
  drawn = Math.max(drawn, until);
  if (made.length) chart.append(made);
}

function show(figure) {
  const node = start.querySelector(`[data-figure="${figure.key}"]`);
  if (!node) return;
  if (figure.key !== "rate") node.querySelector("strong").textContent = figure.value;
  node.querySelector("small").textContent = figure.note;
  node.classList.toggle("figure-alarm", figure.alarm);
}

function showRate({ now: at, messages }) {
  if (before && at > before.at && messages >= before.messages) {
    const rate = ((messages - before.messages) * 1000) / (at - before.at);
    start.querySelector('[data-figure="rate"] strong').textContent = rates.format(rate);
  }
  before = { at, messages };
}

/** Ask for figures, and for the points that no push has brought. True when the answer came. */
async function ask() {
  const url = new URL(start.dataset.fleet, location.href);
  if (drawn) url.searchParams.set("since", Math.max(0, drawn - OVERLAP_MS));
  try {
    const response = await fetch(url, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(10_000) });
    if (!response.ok) throw new Error(response.status);
    const answer = await response.json();
    offset = answer.now - Date.now();
    answer.figures.forEach(show);
    showRate(answer);
    take(answer.points);
    if (["loading", "error"].includes(chart.state)) chart.state = queue.length ? "live" : "empty";
    return true;
  } catch {
    if (chart.state === "loading") chart.state = "error";
    return false;
  }
}

function listen() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/fleet/`);
  socket.onopen = () => {
    tries = 0;
    if (chart.state === "reconnecting") chart.state = "live";
  };
  socket.onmessage = ({ data }) => take(JSON.parse(data).points);
  socket.onclose = ({ code }) => {
    if (NOT_ALLOWED.includes(code)) return;
    if (chart.state === "live") chart.state = "reconnecting";
    setTimeout(listen, BACK_OFF_MS[Math.min(tries++, BACK_OFF_MS.length - 1)]);
  };
}

/** The admin's own switch sets a class; the chart listens for an attribute. */
function followTheme() {
  const root = document.documentElement;
  const copy = () => { root.dataset.theme = root.classList.contains("dark") ? "dark" : "light"; };
  new MutationObserver(copy).observe(root, { attributeFilter: ["class"] });
  copy();
}

followTheme();
chart.load({ series: ["All machines"], times: [], rows: [] });
chart.addEventListener("retry", () => { chart.state = "loading"; ask(); });
chart.addEventListener("pausechange", () => { if (chart.state === "live" && socket?.readyState > 1) chart.state = "reconnecting"; });
await ask();
draw();
setInterval(draw, 1000);
setInterval(ask, ASK_MS);
listen();
