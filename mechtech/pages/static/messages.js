// Messages of the site's contact form.

import { pager } from "./all.js";
import { call, query } from "./api.js";
import { $, el, field, mail, when } from "./dom.js";

let load = null;

export function showMessages() {
  if (!load) {
    const options = [["unread", "unread"], ["read", "read"], ["", "all"]];
    const choice = field("status", "Show", { prefix: "messages-", type: "select", options });
    $("messages-filter").append(choice);
    load = pager($("messages-pages"), async (cursor) => {
      const status = choice.querySelector("select").value;
      const { messages, nextCursor } = await call("GET", `contact${query({ status, limit: 25, cursor })}`);
      $("messages-rows").replaceChildren(...messages.map(message));
      if (!messages.length) $("messages-rows").append(el("p", { className: "none" }, "No messages."));
      return nextCursor;
    });
    choice.addEventListener("change", load);
  }
  return load();
}

function message(one) {
  const says = el("span", { role: "status", className: "says" });
  const act = (method, path, after) => async (event) => {
    event.target.disabled = true;
    try {
      await call(method, `contact/${one.id}${path}`);
      after(event.target);
    } catch (refusal) {
      says.textContent = refusal.message;
      event.target.disabled = false;
    }
  };
  const mark = el("b", { className: "unseen" }, "Unread");
  const read = el("button", { type: "button", click: act("PUT", "/read", (button) => (mark.remove(), button.remove())) }, "Mark as read");
  const drop = act("DELETE", "", () => box.remove());
  const ask = (event) => confirm(`Delete the message of ${one.fullName}?`) && drop(event);
  const unread = one.status === "unread";
  const box = el("article", { className: "card" },
    el("h2", {}, one.fullName, " ", unread && mark),
    el("p", { className: "note" }, mail(one.email), ` · ${when(one.created_at)}`),
    el("p", { className: "text" }, one.message),
    el("div", { className: "press" }, unread && read, el("button", { type: "button", className: "danger", click: ask }, "Delete"), says));
  return box;
}
