// All bookings: filters and pages. A row is used by the list of what waits, too.

import { call, query } from "./api.js";
import { $, el, field, form, status, waited, when } from "./dom.js";

const STATUSES = ["pending", "confirmed", "in-progress", "completed", "cancelled"];

export function row(one, { unseen = false, opened = "", waits = false } = {}) {
  const line = el(
    "a",
    { id: `${waits ? "waiting" : "all"}-${one.id}`, href: `#${one.reference}` },
    el("span", { className: "top" }, el("strong", {}, one.service_type), unseen && el("b", { className: "unseen" }, "New"),
      waits ? el("time", { dateTime: one.created_at, title: when(one.created_at) }, waited(one.created_at)) : status(one.status)),
    el("span", {}, `${one.name} · ${one.vehicle_brand} ${one.vehicle_model}`),
    el("span", { className: "note" }, [one.reference, waits ? one.location : when(one.created_at), one.mechanic?.name].filter(Boolean).join(" · ")),
  );
  if (opened.toUpperCase() === one.reference) line.setAttribute("aria-current", "true");
  return el("li", {}, line);
}

/** Buttons for the pages of a list; load(cursor) shows one and gives the cursor of the next. */
export function pager(place, load) {
  const before = [];
  const go = async (cursor) => {
    const following = await load(cursor);
    const back = el("button", { type: "button", disabled: !before.length, click: () => go(before.pop()) }, "Previous page");
    const on = el("button", { type: "button", disabled: !following, click: () => (before.push(cursor), go(following)) }, "Next page");
    place.replaceChildren(...(before.length || following ? [back, on] : []));
  };
  return () => ((before.length = 0), go(null));
}

export const count = (total, one, many) => (total >= 10000 ? `10,000 ${many} or more` : `${total} ${total === 1 ? one : many}`);

/** A day on this clock, as the time in UTC at which it begins, or the day after it. */
const day = (text, later = 0) => {
  if (!text) return null;
  const [year, month, date] = text.split("-").map(Number);
  return `${new Date(year, month - 1, date + later).toISOString().slice(0, 19)}Z`;
};

export async function showAll() {
  if ($("filters").firstChild) return $("filters").firstChild.requestSubmit();
  const { mechanics } = await call("GET", "mechanics?verified=all&limit=200");
  let asked = {};
  const turn = pager($("pages"), async (cursor) => {
    const { total, bookings, nextCursor } = await call("GET", `booking${query({ ...asked, limit: 25, cursor })}`);
    $("all-rows").replaceChildren(...bookings.map((one) => row(one)));
    turn.found = count(total, "booking", "bookings");
    return nextCursor;
  });
  const prefix = "all-by-";
  const filters = form(
    [
      field("q", "Search", { prefix, type: "search", hint: "Reference, name, e-mail or phone." }),
      field("status", "Status", { prefix, type: "select", options: [["", "any"], ...STATUSES.map((name) => [name, name])] }),
      field("mechanicId", "Mechanic", { prefix, type: "select", options: [["", "any"], ...mechanics.map(({ id, name }) => [id, name])] }),
      field("order", "Order", { prefix, type: "select", options: [["", "newest first"], ["oldest", "oldest first"]] }),
      field("from", "From", { prefix, type: "date" }),
      field("to", "To", { prefix, type: "date" }),
    ],
    "Show",
    async (typed) => {
      asked = { ...typed, from: day(typed.from), to: day(typed.to, 1) };
      await turn();
      return turn.found;
    },
    { className: "filters" },
  );
  $("filters").replaceChildren(filters);
  filters.requestSubmit();
}
