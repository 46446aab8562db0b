/**
 * <usage-chart>: usage over time on a canvas, with its numbers always one key press away.
 *
 *   <usage-chart kind="bar" label="Spend by day" unit="EUR" step="day" zone="Europe/Berlin">
 *     <table> … <th scope="col">CPU</th> …  <td><data value="14.22">€14.22</data></td> … </table>
 *   </usage-chart>
 *
 * Data     The <table> inside is the data: it shows without JavaScript, and it is the table view. A <tr data-forecast> is
 *          drawn faint, a <th data-total> is not drawn, a <th data-series="4"> takes that colour, a <th data-before> is what
 *          was before: a dashed line over the rest. Or from a script: load({series, times, rows}), and live
 *          append([{t: epochMs, v: number | number[]}]). NaN is a hole, and looks it.
 * kind     line | area (stacked) | bar (stacked) | spark (no axes, no controls)
 * state    live | paused | reconnecting | stale | loading | empty | error; absent: a still picture. Live turns stale by itself
 *          after `stale-after` seconds (10) without a point. <p data-when="empty"> or "error" inside replaces the wording.
 * others   label, unit (ISO currency or a word), step (second | hour | day | month), zone (IANA), window (seconds kept), max
 * events   "retry" (the button of the error state), "pausechange"
 * keys     Left and Right move by one point, Page Up and Down by ten, Home, End; Escape leaves. Each point is announced.
 * speed    Lines keep the minimum and maximum of every pixel column, so 50 x 3,600 points cost one pass and 50 short paths;
 *          more than 12 lines share one faint colour, and the one nearest to the pointer stands out.
 *          Nothing is drawn unless data, size or colours changed; `lastDrawMs` says what the last picture cost.
 */
import { MANY, Series, drawAreas, drawAxes, drawBars, drawBefore, drawLines, peak, roundStep, sum, ticks } from "./usage-chart-canvas.js";
import { say } from "./say.js";
import { make, readTable, writeTable } from "./usage-chart-table.js";

const LIVE = { live: say("Live"), paused: say("Paused"), reconnecting: say("Reconnecting"), stale: say("No new data") };
const WHEN = { live: say("updated"), paused: say("at"), reconnecting: say("last point"), stale: say("since") };
const NOTES = { empty: say("No usage in this range."), error: say("The data could not be loaded."), loading: "" };
const COLOURS = 8;
const TIP_ROWS = 8;
const BEFORE = say("Period before");
const SCHEMES = ["(prefers-color-scheme: dark)", "(forced-colors: active)"].map((query) => matchMedia(query));
const TABLE_ROWS = 600;
// Words such as month names are in the language of the page, numbers as the customer writes them.
const lang = () => document.documentElement.lang || undefined;
const numerals = () => document.documentElement.dataset.locale || lang();

/** A patch in the colour of a series; without a number in that of the text. */
const swatch = (colour) => {
  const patch = make("span", "swatch");
  if (colour > 0) patch.style.color = `var(--series-${colour})`;
  return patch;
};

export class UsageChart extends HTMLElement {
  static observedAttributes = ["state", "kind", "label", "unit", "max"];
  lastDrawMs = 0;
  #data = new Series([], Infinity);
  #forecastFrom = Infinity;
  #before; // one value a point: the period before
  #formats = new Map();
  #at = -1; // the point under the crosshair
  #held = 0; // while paused: the time at which the reader stopped the picture
  #heard = Date.now(); // when the last point arrived, by this page's own clock

  connectedCallback() {
    if (!this.canvas) this.#build();
    const table = this.querySelector(":scope > table");
    if (table) this.adopt(table);
    this.resize = new ResizeObserver(() => this.redraw());
    this.resize.observe(this.plot);
    this.recolour = () => { this.colours = undefined; this.redraw(); };
    this.theme = new MutationObserver(this.recolour);
    this.theme.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    for (const scheme of SCHEMES) scheme.addEventListener("change", this.recolour);
    if (!this.spark) this.timer = setInterval(() => this.#tick(), 1000);
    this.#showState();
  }

  disconnectedCallback() {
    this.resize.disconnect();
    this.theme.disconnect();
    for (const scheme of SCHEMES) scheme.removeEventListener("change", this.recolour);
    clearInterval(this.timer);
  }

  attributeChangedCallback() { if (this.canvas) { this.#showState(); this.redraw(); } }

  get kind() { return this.getAttribute("kind") || "line"; }
  get spark() { return this.kind === "spark"; }
  get stacked() { return this.kind === "area" || this.kind === "bar"; }
  get state() { return this.getAttribute("state") || ""; }
  set state(value) { this.setAttribute("state", value); }

  /** Replace everything. rows[i] holds one value per series at times[i]. */
  load({ series, times, rows, forecastFrom = Infinity, colours, before }) {
    this.#before = before;
    this.#data = new Series(series, Number(this.getAttribute("window")) * 1000 || Infinity);
    this.#forecastFrom = forecastFrom;
    this.colourOf = colours ?? series.map((_, i) => (i % COLOURS) + 1);
    times.forEach((t, i) => this.#data.push(t, rows[i]));
    [this.#heard, this.#at, this.#held] = [Date.now(), -1, 0];
    const item = (name, i) => make("li", "", swatch(this.colourOf[i]), name);
    const many = series.length > MANY;
    const hint = make("li", "", say("{count} lines; point at one to follow it", { count: series.length }));
    const dashed = before ? [make("li", "chart-before", make("span", "swatch"), BEFORE)] : [];
    this.legend?.replaceChildren(...(many ? [hint] : series.map(item)), ...dashed);
    this.#summarise();
    if (this.tableView && !this.tableView.hidden) this.#fillTable();
    this.redraw();
  }

  /** Live points, oldest first. Drawn once per animation frame however often this is called. */
  append(points) {
    for (const { t, v } of points) this.#data.push(t, typeof v === "number" ? [v] : v);
    this.#heard = Date.now();
    if (this.state === "stale" || this.state === "empty") this.state = "live";
    if (!this.#held) this.redraw();
  }

  /** Take a table as the data and as the table view. */
  adopt(table) {
    this.tableView.replaceChildren(table);
    this.load(readTable(table, COLOURS));
  }

  /** Exactly what is on screen, RFC 4180. */
  csv() {
    const quote = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const lines = [["time", ...this.#data.names, ...(this.#before ? [BEFORE] : [])].map(quote)];
    for (let i = this.#data.start; i < this.#end; i++) {
      lines.push([new Date(this.#data.times[i]).toISOString(), ...this.#row(i).map((v) => (v === v ? v : ""))]);
    }
    return lines.map((line) => `${line.join(",")}\r\n`).join("");
  }

  #row(i) { return [...this.#data.row(i), ...(this.#before ? [this.#before[i]] : [])]; }

  redraw() { this.frame ??= requestAnimationFrame(() => { this.frame = undefined; this.#draw(); }); }

  // ---- parts

  #build() {
    this.canvas = make("canvas", "chart-canvas");
    this.canvas.setAttribute("role", "img");
    this.plot = make("div", "chart-plot", this.canvas);
    this.probe = make("span", "chart-probe");
    if (this.spark) return super.append(this.plot, this.probe);
    this.canvas.tabIndex = 0;
    this.cross = make("div", "chart-cross");
    this.tip = make("div", "chart-tip");
    this.tip.ariaHidden = "true";
    this.note = make("div", "chart-note");
    this.plot.append(this.cross, this.tip, this.note);
    this.legend = make("ul", "chart-legend");
    this.status = make("p", "chart-status");
    this.pauseButton = make("button", "button button-quiet", say("Pause"));
    this.tableButton = Object.assign(make("button", "button button-quiet", say("Table")), { ariaPressed: "false" });
    this.spoken = Object.assign(make("p", "visually-hidden"), { ariaLive: "polite" });
    this.tableView = make("div", "chart-table");
    Object.assign(this.tableView, { hidden: true, tabIndex: 0, role: "region", ariaLabel: say("{label}, table", { label: this.getAttribute("label") }) });
    const tools = make("div", "chart-tools", this.status, this.pauseButton, this.tableButton);
    super.append(make("div", "chart-head", this.legend, tools), this.plot, this.tableView, this.spoken, this.probe);
    this.tableButton.addEventListener("click", () => this.#toggleTable());
    this.pauseButton.addEventListener("click", () => {
      this.#held = this.state === "paused" ? 0 : this.#data.times[this.#data.end - 1];
      this.state = this.#held ? "paused" : "live";
      this.dispatchEvent(new Event("pausechange"));
    });
    this.plot.addEventListener("pointermove", ({ clientX, clientY }) => {
      const { x, y } = this.plot.getBoundingClientRect();
      const i = this.#indexAt(clientX - x);
      if (i >= 0) this.#follow(i, clientY - y);
      this.#point(i);
    });
    for (const leave of ["pointerleave", "focusout"]) this.plot.addEventListener(leave, () => this.#point(-1));
    this.canvas.addEventListener("focus", () => this.#summarise());
    this.canvas.addEventListener("keydown", (event) => this.#key(event));
    this.#point(-1);
  }

  #key(event) {
    const [first, last] = [this.#data.start, this.#end - 1];
    const from = this.#at < 0 ? (event.key === "ArrowRight" ? first - 1 : last + 1) : this.#at;
    const moves = { ArrowLeft: from - 1, ArrowRight: from + 1, PageUp: from - 10, PageDown: from + 10, Home: first, End: last };
    if (event.key === "Escape") this.#point(-1);
    if (!(event.key in moves) || last < first) return;
    event.preventDefault();
    this.#point(Math.max(first, Math.min(last, moves[event.key])));
    this.spoken.textContent = this.#describe(this.#at);
  }

  #toggleTable() {
    this.plot.hidden = this.tableView.hidden;
    this.tableView.hidden = !this.plot.hidden;
    this.tableButton.ariaPressed = String(this.plot.hidden);
    if (this.plot.hidden) this.#fillTable();
  }

  /** The end of what is shown: all of it, or up to where the reader paused. */
  get #end() {
    let { start, end, times } = this.#data;
    while (this.#held && end > start && times[end - 1] > this.#held) end--;
    return end;
  }

  #showState() {
    if (this.spark) return;
    const { state } = this;
    this.note.hidden = !(state in NOTES);
    if (!this.note.hidden) {
      const own = this.querySelector(`[data-when="${state}"]`);
      const retry = make("button", "button", say("Try again"));
      retry.addEventListener("click", () => this.dispatchEvent(new Event("retry")));
      this.note.replaceChildren(own ?? make("p", "", NOTES[state]), ...(state === "error" ? [retry] : []));
    }
    this.plot.ariaBusy = String(state === "loading");
    this.pauseButton.hidden = this.status.hidden = !(state in LIVE);
    this.pauseButton.textContent = state === "paused" ? say("Resume") : say("Pause");
    this.tableButton.hidden = state in NOTES;
    if (!this.canvas.ariaLabel) this.#summarise();
    this.#tick();
  }

  #tick() {
    const { state } = this;
    const silent = (Date.now() - this.#heard) / 1000;
    if (state === "live" && silent > (Number(this.getAttribute("stale-after")) || 10)) this.state = "stale";
    else if (state in LIVE) {
      const last = this.#end > this.#data.start && this.#format({ timeStyle: "medium" }).format(this.#data.times[this.#end - 1]);
      const when = last ? `${WHEN[state]} ${last}` : "";
      this.status.replaceChildren(make("span", `state state-${state}`, LIVE[state]), make("span", "chart-when", when));
    }
  }

  #fillTable() {
    if (this.tableView.querySelector("table:not([data-made])")) return;
    const rows = [];
    for (let i = this.#end - 1; i >= Math.max(this.#data.start, this.#end - TABLE_ROWS); i--) {
      rows.push([this.#time(this.#data.times[i]), ...this.#data.row(i).map((v) => this.#number(v))]);
    }
    this.tableView.replaceChildren(writeTable([say("Time"), ...this.#data.names], rows));
  }

  // ---- words

  #format(options) {
    const key = JSON.stringify(options);
    const timeZone = this.getAttribute("zone") || undefined;
    if (!this.#formats.has(key)) this.#formats.set(key, new Intl.DateTimeFormat(lang(), { timeZone, ...options }));
    return this.#formats.get(key);
  }

  #time(t) {
    const date = { weekday: "short", day: "numeric", month: "short" };
    const hour = { ...date, hour: "2-digit", minute: "2-digit" };
    const styles = { hour, day: { ...date, year: "numeric" }, month: { month: "long", year: "numeric" } };
    return this.#format(styles[this.getAttribute("step")] ?? { timeStyle: "medium" }).format(t);
  }

  #number(value, axis = false) {
    if (value !== value) return "no data";
    const unit = this.getAttribute("unit") || "";
    const money = /^[A-Z]{3}$/.test(unit);
    const digits = axis ? (this.yStep < 1 ? 2 : this.yStep % 1 ? 1 : 0) : money ? 2 : Math.abs(value) < 1000 ? 1 : 0;
    const style = money ? { style: "currency", currency: unit } : {};
    const text = value.toLocaleString(numerals(), { ...style, minimumFractionDigits: digits, maximumFractionDigits: digits });
    return money || axis ? text : `${text}${unit === "%" ? "" : "\u00a0"}${unit}`;
  }

  /** Pairs [series, value] in reading order: as stacked, from the top; of many, the largest first. */
  #ranked(values) {
    const pairs = [...values.entries()];
    return values.length > TIP_ROWS ? pairs.sort((a, b) => (b[1] || 0) - (a[1] || 0)) : this.stacked ? pairs.reverse() : pairs;
  }

  #moment(i) { return this.#time(this.#data.times[i]) + (this.#data.times[i] >= this.#forecastFrom ? say(", forecast") : ""); }

  #describe(i) {
    const values = this.#data.row(i);
    const parts = this.#ranked(values).slice(0, TIP_ROWS).map(([s, v]) => `${this.#data.names[s]} ${this.#number(v)}`);
    if (this.stacked && values.length > 1) parts.unshift(say("total {value}", { value: this.#number(sum(values)) }));
    if (this.#before) parts.push(say("period before {value}", { value: this.#number(this.#before[i]) }));
    return `${this.#moment(i)}: ${parts.join("; ")}`;
  }

  #summarise() {
    const { start, names, times } = this.#data;
    let text = this.getAttribute("label") || say("Usage");
    if (this.state in NOTES) text += `: ${NOTES[this.state] || say("loading")}`;
    const totals = [];
    for (let i = start; i < this.#end && times[i] < this.#forecastFrom; i++) totals.push(sum(this.#data.row(i)));
    if (totals.length) {
      const at = (value) => say("{value} at {time}", { value: this.#number(value), time: this.#time(times[start + totals.indexOf(value)]) });
      const [low, high] = totals.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
      const total = sum(totals);
      const middle = this.stacked ? say("Total {value}", { value: this.#number(total) }) : say("Average {value}", { value: this.#number(total / totals.length) });
      const [from, to] = [this.#time(times[start]), this.#time(times[start + totals.length - 1])];
      const said = { from, to, middle, high: at(high), low: at(low), latest: this.#number(totals.at(-1)), names: names.slice(0, COLOURS).join("; ") };
      text += say(", {from} to {to}. {middle}; highest {high}; lowest {low}; latest {latest}. Series: {names}.", said);
    }
    this.canvas.ariaLabel = text;
  }

  // ---- picture; what only knows pixels is in usage-chart-canvas.js

  #palette() {
    const colour = (name) => { this.probe.style.color = `var(${name})`; return getComputedStyle(this.probe).color; };
    const series = Array.from({ length: COLOURS }, (_, i) => colour(`--series-${i + 1}`));
    const font = `12px ${getComputedStyle(this).fontFamily}`;
    const [surface, ink, grid, text] = ["--surface", "--ink", "--chart-grid", "--chart-text"].map(colour);
    return { series, font, surface, ink, grid, text };
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this.plot;
    if (!width || !height) return;
    const began = performance.now();
    const ratio = devicePixelRatio || 1;
    const ink = (this.context ??= this.canvas.getContext("2d"));
    for (const [side, size] of [["width", width], ["height", height]]) {
      if (this.canvas[side] !== Math.round(size * ratio)) this.canvas[side] = Math.round(size * ratio);
    }
    this.colours ??= this.#palette();
    ink.setTransform(ratio, 0, 0, ratio, 0, 0);
    ink.clearRect(0, 0, width, height);
    ink.font = this.colours.font;
    const view = (this.view = this.#measure(ink, width, height));
    if (view.end > view.start && !(this.state in NOTES)) {
      const marks = () => ticks(view, this.#data.times, (options) => this.#format(options));
      if (!this.spark) drawAxes(ink, view, this.colours, marks(), (v) => this.#number(v, true));
      const paint = { bar: drawBars, area: drawAreas }[this.kind] ?? drawLines;
      paint(ink, this.#data, view, this.colours.surface);
      if (this.#before) drawBefore(ink, this.#before, this.#data.times, view);
      if (this.#at >= 0) this.#point(this.#at);
    }
    this.lastDrawMs = performance.now() - began;
  }

  #measure(ink, width, height) {
    const { start, times, names } = this.#data;
    const end = this.#end;
    const tallest = Math.max(peak(this.#data, start, end, this.stacked), ...(this.#before ?? []).filter((v) => v === v));
    const top = Number(this.getAttribute("max")) || tallest * (this.stacked ? 1 : 1.06) || 1;
    this.yStep = roundStep(top / Math.max(3, Math.floor(height / 64)));
    const yMax = this.spark ? top : Math.ceil(top / this.yStep - 1e-9) * this.yStep;
    const widths = [yMax, this.yStep].map((v) => ink.measureText(this.#number(v, true)).width);
    const x = Math.ceil(Math.max(...widths)) + 12;
    const box = this.spark ? { x: 0, y: 2, w: width, h: height - 3 } : { x, y: 8, w: width - x - 1, h: height - 32 };
    const kept = this.kind === "bar" ? 0 : Number(this.getAttribute("window")) * 1000;
    const t0 = kept ? times[end - 1] - kept : times[start];
    const shades = names.map((_, i) => this.colours.series[this.colourOf[i] - 1]);
    const slot = box.w / Math.max(1, end - start);
    const how = { bars: this.kind === "bar", step: this.getAttribute("step"), soft: this.#forecastFrom, dot: this.spark };
    Object.assign(how, { followed: this.followed, ink: this.colours.ink, ratio: devicePixelRatio || 1 });
    return { ...box, ...how, start, end, t0, t1: times[end - 1], yMax, yStep: this.yStep, slot, shades };
  }

  #indexAt(x) {
    const { start, end, t0, t1, slot, ...box } = this.view ?? {};
    if (!(end > start) || x < box.x - 8) return -1;
    if (this.kind === "bar") return Math.max(start, Math.min(end - 1, start + Math.floor((x - box.x) / slot)));
    return this.#data.nearest(t0 + ((x - box.x) / box.w) * (t1 - t0), end);
  }

  /** Of many lines, the one nearest to the pointer is drawn over the others and named in the tip. */
  #follow(i, y) {
    if (this.#data.names.length <= MANY) return;
    const { view } = this;
    const value = ((view.y + view.h - y) / view.h) * view.yMax;
    const away = this.#data.row(i).map((v) => Math.abs((v === v ? v : Infinity) - value));
    const nearest = away.indexOf(Math.min(...away));
    if (nearest !== this.followed) this.redraw();
    this.followed = nearest;
  }

  #point(i) {
    if (i < 0 && this.followed >= 0) { this.followed = -1; this.redraw(); }
    this.#at = i;
    this.cross.hidden = this.tip.hidden = i < 0;
    if (i < 0) return;
    const v = this.view;
    const wide = this.kind === "bar" ? v.slot : 1;
    const x = this.kind === "bar" ? v.x + (i - v.start) * v.slot : v.x + ((this.#data.times[i] - v.t0) / (v.t1 - v.t0 || 1)) * v.w;
    this.cross.classList.toggle("chart-cross-bar", wide > 1);
    this.cross.style.inlineSize = `${wide}px`;
    this.cross.style.transform = `translateX(${x}px)`;
    const line = (css, name, value) =>
      make("p", css, swatch(css), make("span", "chart-tip-name", name), make("span", "num", this.#number(value)));
    const many = this.#data.names.length > MANY;
    const values = this.#data.row(i);
    const ranked = this.followed >= 0 ? [[this.followed, values[this.followed]]] : this.#ranked(values);
    const css = (s) => (many ? "" : this.colourOf[s]);
    const lines = ranked.slice(0, TIP_ROWS).map(([s, value]) => line(css(s), this.#data.names[s], value));
    if (ranked.length > TIP_ROWS) lines.push(make("p", "", say("and {count} more", { count: ranked.length - TIP_ROWS })));
    if (this.stacked && ranked.length > 1) lines.push(line("chart-tip-total", say("Total"), sum(values)));
    if (this.#before) lines.push(line("chart-before", BEFORE, this.#before[i]));
    this.tip.replaceChildren(make("p", "chart-tip-time", this.#moment(i)), ...lines);
    const room = x + wide + 12 + this.tip.offsetWidth <= this.plot.clientWidth;
    this.tip.style.transform = `translate(${room ? x + wide + 12 : Math.max(0, x - this.tip.offsetWidth - 12)}px, 8px)`;
  }
}

if (!customElements.get("usage-chart")) customElements.define("usage-chart", UsageChart);
