// What happened while the page is open: a count beside "Notices", and a toast for each notice that was not shown before.
const POLL_MS = 20_000;
const link = document.querySelector("[data-notices]");

const shownUpTo = () => Number(sessionStorage.getItem(link.dataset.notices) || 0);

const toast = ({ title, text, link: href }, room) => {
  const made = room.querySelector("template").content.cloneNode(true).firstElementChild;
  const anchor = made.querySelector("a");
  Object.assign(anchor, { textContent: title, href: `${href}?${new URLSearchParams({ customer: link.dataset.customer })}` });
  made.querySelector("p").textContent = text;
  made.querySelector("button").addEventListener("click", () => made.remove());
  room.append(made);
};

const show = ({ unseen, notices }) => {
  const count = link.querySelector(".badge");
  count.hidden = !unseen;
  count.querySelector("span").textContent = unseen;
  const fresh = notices.filter(({ id }) => id > shownUpTo()).reverse();
  if (!fresh.length || location.pathname === link.pathname) return;
  for (const notice of fresh) toast(notice, document.querySelector("[data-toasts]"));
  sessionStorage.setItem(link.dataset.notices, fresh.at(-1).id);
};

const ask = async () => {
  if (document.hidden) return;
  try {
    const answer = await fetch(link.dataset.notices, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(10_000) });
    if (answer.ok) show(await answer.json());
  } catch {
    // No network, or too slow: the next look comes soon.
  }
};

if (link) {
  ask();
  setInterval(ask, POLL_MS);
  document.addEventListener("visibilitychange", ask);
}
