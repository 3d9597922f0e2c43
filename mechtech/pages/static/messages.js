// Messages of the site's contact form.
import { listing } from "./all.js";
import { call, query } from "./api.js";
import { $, action, count, el, field, mail, when } from "./dom.js";

function makeFilter() {
  const options = [["unread", "unread"], ["read", "read"], ["", "all"]];
  const change = ({ target }) => target.form.requestSubmit();
  return [field("status", "Status", { prefix: "messages-", type: "select", options, change })];
}

export const showMessages = listing($("messages-filter"), $("messages-pages"), makeFilter, async ({ status }, cursor) => {
  const { total, messages, nextCursor } = await call("GET", `contact${query({ status, limit: 25, cursor })}`);
  $("messages-rows").replaceChildren(...messages.map(message));
  return [nextCursor, count(total, "message")];
});

function message(one) {
  const mark = one.status === "unread" && el("b", { className: "unseen" }, "Unread");
  const read = async (button) => {
    await call("PUT", `contact/${one.id}/read`);
    mark.remove();
    button.remove();
  };
  const drop = () => call("DELETE", `contact/${one.id}`).then(() => box.remove());
  const question = `Delete the message of ${one.fullName}?`;
  const buttons = [mark && action("Mark as read", read), action("Delete", drop, { className: "danger", question })];
  const box = el("article", { className: "card" }, el("h2", {}, one.fullName, " ", mark),
    el("p", { className: "note" }, mail(one.email), ` · ${when(one.created_at)}`), el("p", { className: "text" }, one.message),
    el("div", { className: "press" }, buttons, el("span", { role: "status", className: "says" })));
  return box;
}
