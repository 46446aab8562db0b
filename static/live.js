// Puts what a live page hears where it belongs: charts, the machines' rows, the running cost, and the word that says how it is.
import "./usage-chart.js";
import { LiveFeed } from "./live-feed.js";
import { say } from "./say.js";

const LATE_MS = 60_000; // older than this, a machine's last point says nothing about now
const SILENT_MS = 15 * 60_000;
const KEEP_MS = 15 * 60_000;
const GRID_MS = 1_000;
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const connection = document.querySelector("[data-connection]");
const { lang, dataset } = document.documentElement;
const numbers = (digits) => new Intl.NumberFormat(dataset.locale || lang, { minimumFractionDigits: digits, maximumFractionDigits: digits });
const [whole, tenths] = [numbers(0), numbers(1)];
const exactly = new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeStyle: "medium", timeZone: connection.dataset.zone });
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium", timeZone: connection.dataset.zone });

/** The sum over all machines: each counts with its newest point, until that is a minute old. Once a second, and at every arrival. */
class FleetChart {
  #last = new Map();
  #drawn = 0; // up to this time

  constructor(chart) {
    this.chart = chart;
    this.percent = chart.dataset.fleetChart === "percent";
    this.empty = true;
    chart.load({ series: [chart.getAttribute("label")], times: [], rows: [] });
  }

  add(points, clock) {
    if (!points.length) return;
    const now = Math.max(clock, this.#drawn + 1); // time only goes forward, even where a clock was set back
    // A point from the future is from a clock that runs ahead, the machine's or the server's: it counts from now on.
    const queue = points.map((point) => ({ ...point, t: Math.min(point.t, now) })).sort((a, b) => a.t - b.t);
    this.#drawn = Math.max(this.#drawn || queue[0].t - GRID_MS, now - KEEP_MS);
    const made = [];
    for (let at = this.#drawn + GRID_MS; at < now; at += GRID_MS) made.push({ t: at, v: this.#total(at, queue) });
    made.push({ t: now, v: this.#total(now, queue) });
    this.#drawn = Math.max(this.#drawn, now);
    this.chart.append(made);
    this.empty = false;
    this.value = made.at(-1)?.v ?? this.value;
  }

  /** Take what has come by that time out of the queue, and add up what is known. */
  #total(at, queue) {
    while (queue.length && queue[0].t <= at) this.#last.set(queue[0].machine, queue.shift());
    const values = [...this.#last.values()].filter(({ t }) => at - t <= LATE_MS).map((point) => (this.percent ? point.cpu_percent : point.cores));
    const known = values.filter((value) => value !== null);
    if (!known.length) return NaN;
    const sum = known.reduce((a, b) => a + b, 0);
    return this.percent ? sum / known.length : sum;
  }
}

/** One machine's own points; a gap of more than a minute is drawn as one. */
class MachineChart {
  #last = 0;

  constructor(chart) {
    this.chart = chart;
    this.machine = chart.dataset.machineChart;
    this.empty = true;
    const names = chart.getAttribute("kind") === "spark" ? ["CPU"] : ["CPU", say("Memory")];
    this.read = ({ cpu_percent: cpu, memory_percent: memory }) => [cpu, memory].slice(0, names.length);
    chart.load({ series: names, times: [], rows: [] });
  }

  add(points) {
    const mine = points.filter(({ machine }) => machine === this.machine).sort((a, b) => a.t - b.t);
    const made = [];
    for (const point of mine) {
      if (this.#last && point.t - this.#last > LATE_MS) made.push({ t: this.#last + 1, v: [NaN, NaN] });
      made.push({ t: point.t, v: this.read(point) });
      this.#last = point.t;
    }
    if (!made.length) return;
    this.empty = false;
    this.chart.append(made);
  }
}

const charts = [
  ...all("[data-fleet-chart]").map((chart) => new FleetChart(chart)),
  ...all("[data-machine-chart]").map((chart) => new MachineChart(chart)),
];
const big = charts.filter(({ chart }) => chart.getAttribute("kind") !== "spark");
const rows = new Map(all("[data-machine]").map((row) => [row.dataset.machine, row]));
const newest = new Map(); // machine -> its newest point
let [paused, updated, cost] = [false, 0, undefined];

const setText = (node, text) => { if (node && node.textContent !== text) node.textContent = text; };

function onPoints(points, now) {
  for (const point of points) newest.set(point.machine, point);
  for (const chart of charts) chart.add(points, now);
  if (points.length) updated = now;
  for (const { chart, empty } of big) if (chart.state === "loading" || chart.state === "live") chart.state = empty ? "empty" : "live";
  show();
}

function show() {
  if (paused) return;
  for (const [code, row] of rows) showRow(row, newest.get(code));
  const fleet = charts.find((chart) => chart instanceof FleetChart);
  if (fleet?.value === fleet?.value && fleet?.value !== undefined) setText(document.querySelector("[data-busy]"), tenths.format(fleet.value));
  if (cost) showCost(cost);
  showConnection();
}

const WORDS = { reporting: ["ok", say("Reporting")], late: ["late", say("Late")], silent: ["silent", say("Silent")] };

function showRow(row, point) {
  const now = feed.now;
  if (point) row.dataset.seen = Math.max(point.t, Number(row.dataset.seen) || 0);
  const seen = Number(row.dataset.seen);
  if (!seen || "retired" in row.dataset) return;
  const state = now - seen > SILENT_MS ? "silent" : now - seen > LATE_MS ? "late" : "reporting";
  const [css, word] = WORDS[state];
  for (const node of all("[data-state]", row)) {
    if (node.textContent !== word) Object.assign(node, { textContent: word, className: `state state-${css}` });
  }
  const fresh = point && now - point.t <= LATE_MS;
  if (point || state !== "reporting") {
    setText(row.querySelector("[data-cpu]"), fresh ? `${whole.format(point.cpu_percent)} %` : say("no data"));
    setText(row.querySelector("[data-memory]"), fresh ? memory(point) : say("no data"));
    for (const node of all("[data-of]", row)) node.hidden = !fresh;
  }
  for (const node of all("time[data-ago]", row)) {
    setText(node, ago(Math.floor((now - seen) / 1000)));
    if (point) Object.assign(node, { dateTime: new Date(seen).toISOString(), title: `${exactly.format(seen)} ${connection.dataset.zone}` });
  }
}

function memory({ memory_mib: mib, memory_percent: share }) {
  return mib === null ? `${whole.format(share)} %` : `${tenths.format(mib / 1024)}`;
}

function ago(seconds) {
  const [minutes, hours, days] = [60, 3600, 86400].map((unit) => Math.floor(seconds / unit));
  if (seconds < 60) return say("{seconds} s ago", { seconds: Math.max(0, seconds) });
  if (seconds < 3600) return say("{minutes} min ago", { minutes });
  if (seconds < 86400) return say("{hours} h {minutes} min ago", { hours, minutes: minutes % 60 });
  return say("{days} d {hours} h ago", { days, hours: hours % 24 });
}

function onCost(message) {
  if (cost && message.at < cost.at) return;
  cost = message;
  updated = Math.max(updated, Date.parse(message.at));
  if (!paused) show();
}

/** Every text comes written from the server: money is no number here. */
function showCost({ total, text, lines }) {
  for (const node of all("[data-running]")) node.value = total;
  for (const node of all("[data-total]")) setText(node, text.total);
  for (const node of all("[data-exact]")) setText(node, text.exact);
  for (const node of all("[data-rate]")) setText(node, text.per_hour ? say("{amount} in the last full hour.", { amount: text.per_hour }) : say("The hourly rate shows after the first full hour."));
  const table = document.querySelector("[data-lines]");
  if (!table) return;
  if (lines.some(({ key }) => !table.querySelector(`[data-line="${CSS.escape(key)}"]`))) return refresh(table);
  for (const line of lines) {
    const row = table.querySelector(`[data-line="${CSS.escape(line.key)}"]`);
    setText(row.querySelector("[data-amount]"), line.amount);
    setText(row.querySelector("[data-quantity]"), line.quantity);
    row.querySelector("[data-share]")?.setAttribute("width", line.share);
  }
}

/** A meter was used for the first time: take the whole table anew. */
async function refresh(table) {
  delete table.dataset.lines;
  const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
  const fresh = page.querySelector("[data-lines]");
  if (fresh) table.replaceWith(document.adoptNode(fresh));
}

const SAYINGS = {
  connecting: ["reconnecting", say("Connecting")], live: ["live", say("Live")], reconnecting: ["reconnecting", say("Reconnecting")],
  paused: ["paused", say("Paused")], "signed-out": ["stale", say("Signed out")], gone: ["stale", say("No longer yours to see")],
  failed: ["stale", say("Not reached")],
};

function showConnection() {
  const [css, word] = SAYINGS[paused ? "paused" : feed.state] ?? SAYINGS.connecting;
  const state = connection.querySelector("[data-word]");
  if (state.textContent !== word) Object.assign(state, { textContent: word, className: `state state-${css}` });
  setText(connection.querySelector("time"), updated ? clock.format(updated) : "");
  connection.querySelector("[data-updated]").hidden = !updated;
  connection.querySelector("[data-again]").hidden = !["signed-out", "gone", "failed"].includes(feed.state);
}

function onState(state) {
  for (const { chart, empty } of big) {
    if (state === "failed") chart.state = "error";
    else if (state === "live" && !paused) chart.state = empty ? "empty" : "live";
    else if (state !== "connecting" && state !== "live" && !paused && !empty) chart.state = "reconnecting";
  }
  showConnection();
}

const feed = new LiveFeed({ ...connection.dataset, onPoints, onCost, onState });
for (const { chart } of big) {
  chart.addEventListener("retry", () => location.reload());
  chart.addEventListener("pausechange", () => {
    paused = chart.state === "paused";
    if (!paused && feed.state !== "live") chart.state = "reconnecting";
    showConnection();
    show();
  });
}
setInterval(show, 1000);
feed.start();
