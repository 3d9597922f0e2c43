// Messages of the site's contact form.
import { pager } from "./all.js";
import { call, query } from "./api.js";
import { $, action, el, field, mail, when } from "./dom.js";

let load = null;

export function showMessages() {
  if (!load) {
    const options = [["unread", "unread"], ["read", "read"], ["", "all"]];
    const choice = field("status", "Show", { prefix: "messages-", type: "select", options });
    $("messages-filter").append(choice);
    load = pager($("messages-pages"), async (cursor) => {
      const status = choice.querySelector("select").value;
      const { messages, nextCursor } = await call("GET", `contact${query({ status, limit: 25, cursor })}`);
      const none = el("p", { className: "none" }, "No messages.");
      $("messages-rows").replaceChildren(...(messages.length ? messages.map(message) : [none]));
      return nextCursor;
    });
    choice.addEventListener("change", load);
  }
  return load();
}

function message(one) {
  const mark = one.status === "unread" && el("b", { className: "unseen" }, "Unread");
  const read = async (button) => {
    await call("PUT", `contact/${one.id}/read`);
    mark.remove();
    button.remove();
  };
  const drop = async () => {
    await call("DELETE", `contact/${one.id}`);
    box.remove();
  };
  const question = `Delete the message of ${one.fullName}?`;
  const buttons = [mark && action("Mark as read", read), action("Delete", drop, { className: "danger", question })];
  const box = el("article", { className: "card" }, el("h2", {}, one.fullName, " ", mark),
    el("p", { className: "note" }, mail(one.email), ` · ${when(one.created_at)}`), el("p", { className: "text" }, one.message),
    el("div", { className: "press" }, buttons, el("span", { role: "status", className: "says" })));
  return box;
}
