// All bookings: filters and pages. A row is used by the list of what waits, too.
import { call, query } from "./api.js";
import { $, action, count, dotted, el, field, form, say, status, waited, when } from "./dom.js";
import { allMechanics } from "./mechanics.js";

export function row(one, { unseen = false, waits = false } = {}) {
  const time = el("time", { dateTime: one.created_at, title: when(one.created_at) }, waited(one.created_at));
  const [id, href] = [`${waits ? "waiting" : "all"}-${one.id}`, `#${one.reference}`];
  return el("li", {}, el("a", { id, href, "aria-current": location.hash === href },
    el("span", { className: "top" }, el("strong", {}, one.service_type),
      unseen && el("b", { className: "unseen" }, "New"), waits ? time : status(one.status)),
    el("span", {}, dotted(one.name, `${one.vehicle_brand} ${one.vehicle_model}`)),
    el("span", { className: "note" }, dotted(one.reference, waits ? one.location : when(one.created_at), one.mechanic?.name))));
}

/** What shows a list in pages, below filters. load(typed, cursor) gives its rows, the cursor of the next and a sentence. */
export function listing(place, list, pages, makeFields, load) {
  let asked = null; // what shows again the page that was asked for last
  const turn = async (typed, cursors) => {
    const again = (asked = () => turn(typed, cursors));
    const [rows, next, sentence] = await load(typed, cursors.at(-1));
    if (asked !== again) return;
    const back = cursors.length > 1 && action("Previous page", () => turn(typed, cursors.slice(0, -1)));
    const on = next && action("Next page", () => turn(typed, [...cursors, next]));
    list.replaceChildren(...rows);
    pages.replaceChildren(...[back, on].filter(Boolean));
    say(place.querySelector(".says"), sentence);
  };
  return async () => {
    if (asked) return asked();
    place.replaceChildren(form(await makeFields(), "Show", (typed) => turn(typed, [null]), "filters"));
    place.firstChild.requestSubmit();
  };
}

async function makeFilters() {
  const statuses = ["pending", "confirmed", "in-progress", "completed", "cancelled"];
  const { mechanics } = await allMechanics();
  const select = (name, label, ...options) => field(name, label, { prefix: "all-by-", type: "select", options });
  const input = (name, label, type, hint) => field(name, label, { prefix: "all-by-", type, hint });
  return [
    input("q", "Search", "search", "Reference, name, e-mail or phone."),
    select("status", "Status", ["", "any"], ...statuses.map((name) => [name, name])),
    select("mechanicId", "Mechanic", ["", "any"], ...mechanics.map(({ id, name }) => [id, name])),
    select("order", "Order", ["", "newest first"], ["oldest", "oldest first"]),
    input("from", "From", "date"), input("to", "To", "date"),
  ];
}

/** The time in UTC at which a day begins on this clock, or a later one. */
function day(text, later = 0) {
  const [year, month, date] = text.split("-").map(Number);
  return text && `${new Date(year, month - 1, date + later).toISOString().slice(0, 19)}Z`;
}

export const showAll = listing($("filters"), $("all-rows"), $("pages"), makeFilters, async ({ from, to, ...typed }, cursor) => {
  const asked = query({ ...typed, from: day(from), to: day(to, 1), limit: 25, cursor });
  const { total, bookings, nextCursor } = await call("GET", `booking${asked}`);
  return [bookings.map((one) => row(one)), nextCursor, count(total, "booking")];
});
