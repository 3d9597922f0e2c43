// All bookings: filters and pages. A row is used by the list of what waits, too.
import { call, query } from "./api.js";
import { $, dotted, el, field, form, status, waited, when } from "./dom.js";

const STATUSES = ["pending", "confirmed", "in-progress", "completed", "cancelled"];

export function row(one, { unseen = false, waits = false } = {}) {
  const time = el("time", { dateTime: one.created_at, title: when(one.created_at) }, waited(one.created_at));
  const line = el("a", { id: `${waits ? "waiting" : "all"}-${one.id}`, href: `#${one.reference}` },
    el("span", { className: "top" }, el("strong", {}, one.service_type),
      unseen && el("b", { className: "unseen" }, "New"), waits ? time : status(one.status)),
    el("span", {}, dotted(one.name, `${one.vehicle_brand} ${one.vehicle_model}`)),
    el("span", { className: "note" }, dotted(one.reference, waits ? one.location : when(one.created_at), one.mechanic?.name)));
  if (location.hash === line.hash) line.setAttribute("aria-current", "true");
  return el("li", {}, line);
}

/** What shows the first page of a list. load(cursor) shows one and gives the cursor of the next. */
export function pager(place, load) {
  const before = [];
  const go = async (cursor) => {
    const next = await load(cursor).catch((refusal) => place.replaceChildren(el("p", { className: "wrong" }, refusal.message)));
    if (next === undefined) return;
    const button = (text, open, click) => el("button", { type: "button", disabled: !open, click }, text);
    const back = button("Previous page", before.length, () => go(before.pop()));
    const on = button("Next page", next, () => (before.push(cursor), go(next)));
    place.replaceChildren(...(before.length || next ? [back, on] : []));
  };
  return () => ((before.length = 0), go(null));
}

/** The time in UTC at which a day begins on this clock, or a later one. */
function day(text, later = 0) {
  if (!text) return null;
  const [year, month, date] = text.split("-").map(Number);
  return `${new Date(year, month - 1, date + later).toISOString().slice(0, 19)}Z`;
}

export async function showAll() {
  if ($("filters").firstChild) return $("filters").firstChild.requestSubmit();
  const { mechanics } = await call("GET", "mechanics?verified=all&limit=200");
  const select = (name, label, ...options) => field(name, label, { prefix: "all-by-", type: "select", options });
  const input = (name, label, type, hint) => field(name, label, { prefix: "all-by-", type, hint });
  const fields = [
    input("q", "Search", "search", "Reference, name, e-mail or phone."),
    select("status", "Status", ["", "any"], ...STATUSES.map((name) => [name, name])),
    select("mechanicId", "Mechanic", ["", "any"], ...mechanics.map(({ id, name }) => [id, name])),
    select("order", "Order", ["", "newest first"], ["oldest", "oldest first"]),
    input("from", "From", "date"), input("to", "To", "date"),
  ];
  let asked, found;
  const turn = pager($("pages"), async (cursor) => {
    const { total, bookings, nextCursor } = await call("GET", `booking${query({ ...asked, limit: 25, cursor })}`);
    $("all-rows").replaceChildren(...bookings.map((one) => row(one)));
    found = total >= 10000 ? "10,000 bookings or more" : `${total} ${total === 1 ? "booking" : "bookings"}`;
    return nextCursor;
  });
  const show = async (typed) => {
    asked = { ...typed, from: day(typed.from), to: day(typed.to, 1) };
    await turn();
    return found;
  };
  $("filters").replaceChildren(form(fields, "Show", show, "filters"));
  $("filters").firstChild.requestSubmit();
}
