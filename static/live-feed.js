/**
 * What a live page hears: points and cost by socket, by polling while there is none, and no hole after either.
 *
 *   new LiveFeed({ customer, recent, cost, onPoints, onCost, onState }).start()
 *
 * recent, cost   addresses of the JSON that the sockets carry too; cost may be absent
 * onPoints       (points, nowMs): never the same point twice, oldest first for each machine
 * onCost         (cost): money as decimal strings and as text, never as a number
 * onState        "connecting" | "live" | "reconnecting" (polling) | "signed-out" | "gone" | "failed" (the first answer did not come)
 *
 * A socket that opens is caught up first: what it brings meanwhile waits until the points since the last known one are in.
 */
const POLL_MS = 5_000;
const BACK_OFF_MS = [500, 1_000, 2_000, 5_000, 10_000, 20_000];
const OVERLAP_MS = 120_000; // a sample may be stored that long after its end and still belongs in the chart
const ENDED = { 401: "signed-out", 404: "gone", 4401: "signed-out", 4404: "gone" };

export class LiveFeed {
  #known = new Map(); // machine -> time of its newest point
  #newest = 0;
  #tries = 0;
  #waiting = []; // pushed while a catch-up is under way
  #catchingUp = false;
  #ended = false;
  #offset = 0; // the server's clock minus ours

  constructor(options) { Object.assign(this, options); }

  async start() {
    this.#say("connecting");
    if (!(await this.#catchUp())) return this.#ended || this.#say("failed");
    this.#openUsage();
    if (this.cost) this.#openCost();
    addEventListener("online", () => this.#usage?.readyState > 1 && this.#openUsage());
  }

  get now() { return Date.now() + this.#offset; }

  #usage;

  #openUsage() {
    clearTimeout(this.again);
    if (this.#ended || this.#usage?.readyState < 2) return;
    const socket = (this.#usage = this.#socket("/ws/usage/"));
    socket.onopen = async () => {
      if (!(await this.#catchUp())) return socket.close();
      this.#tries = 0;
      clearInterval(this.polling);
      this.polling = undefined;
      this.#say("live");
    };
    socket.onmessage = ({ data }) => {
      const { points } = JSON.parse(data);
      if (this.#catchingUp) this.#waiting.push(...points);
      else this.#take(points);
    };
    socket.onclose = ({ code }) => {
      if (ENDED[code]) return this.#end(ENDED[code]);
      if (this.#ended) return;
      this.#say("reconnecting");
      this.polling ??= setInterval(() => this.#poll(), POLL_MS);
      const wait = BACK_OFF_MS[Math.min(this.#tries++, BACK_OFF_MS.length - 1)];
      this.again = setTimeout(() => this.#openUsage(), wait * (0.75 + Math.random() / 2));
    };
  }

  #openCost(tries = 0) {
    if (this.#ended) return;
    const socket = this.#socket("/ws/cost/");
    socket.onopen = () => (tries = 0);
    socket.onmessage = ({ data }) => this.onCost(JSON.parse(data));
    socket.onclose = ({ code }) => {
      if (ENDED[code]) return this.#end(ENDED[code]);
      setTimeout(() => this.#openCost(tries + 1), BACK_OFF_MS[Math.min(tries, BACK_OFF_MS.length - 1)] * (0.75 + Math.random() / 2));
    };
  }

  #socket(path) {
    const query = new URLSearchParams({ customer: this.customer });
    return new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}?${query}`);
  }

  async #poll() {
    await this.#catchUp();
    if (this.cost) this.#get(this.cost, {}).then((cost) => cost && this.onCost(cost));
  }

  /** Fetch what the page has not seen yet. True when the answer came. */
  async #catchUp() {
    this.#catchingUp = true;
    const answer = await this.#get(this.recent, { since: Math.max(0, this.#newest - OVERLAP_MS) });
    this.#catchingUp = false;
    if (answer) this.#offset = answer.now - Date.now();
    const points = [...(answer?.points ?? []), ...this.#waiting.splice(0)];
    if (answer || points.length) this.#take(points);
    return Boolean(answer);
  }

  async #get(address, query) {
    const url = new URL(address, location.href);
    for (const [name, value] of Object.entries({ customer: this.customer, ...query })) url.searchParams.set(name, value);
    try {
      const response = await fetch(url, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(10_000) });
      if (ENDED[response.status]) this.#end(ENDED[response.status]);
      return response.ok ? await response.json() : undefined;
    } catch {
      return undefined; // no network, or too slow: the next try is on its way
    }
  }

  #take(points) {
    const fresh = points.filter(({ machine, t }) => {
      const isNew = t > (this.#known.get(machine) ?? 0);
      if (isNew) this.#known.set(machine, t);
      return isNew;
    });
    this.#newest = Math.max(this.#newest, ...fresh.map(({ t }) => Math.min(t, this.now)));
    this.onPoints(fresh, this.now);
  }

  #end(state) {
    this.#ended = true;
    clearInterval(this.polling);
    clearTimeout(this.again);
    this.#usage?.close();
    this.#say(state);
  }

  #say(state) {
    if (this.state !== state) this.onState((this.state = state));
  }
}
