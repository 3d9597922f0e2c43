// Messages of the site's contact form.
import { listing } from "./all.js";
import { call, query } from "./api.js";
import { $, action, count, el, field, mail, when } from "./dom.js";

function makeFilter() {
  const options = [["unread", "unread"], ["read", "read"], ["", "all"]];
  const change = ({ target: { form } }) => {
    form.querySelector("button").disabled = false; // the list of what was chosen before may be on its way
    form.requestSubmit();
  };
  return [field("status", "Status", { prefix: "messages-", type: "select", options, change })];
}

export const showMessages = listing($("messages-filter"), $("messages-rows"), $("messages-pages"), makeFilter, async ({ status }, cursor) => {
  const { total, messages, nextCursor } = await call("GET", `contact${query({ status, limit: 25, cursor })}`);
  return [messages.map(message), nextCursor, count(total, "message")];
});

function message(one) {
  const mark = one.status === "unread" && el("b", { className: "unseen" }, "Unread");
  const read = async (button) => {
    await call("PUT", `contact/${one.id}/read`);
    mark.remove();
    button.remove();
  };
  const drop = () => call("DELETE", `contact/${one.id}`).then(() => box.remove());
  const named = (text) => ({ "aria-label": `${text} the message of ${one.fullName}` });
  const question = `Delete the message of ${one.fullName}?`;
  const buttons = [mark && action("Mark as read", read, named("Mark as read")),
    action("Delete", drop, { className: "danger", question, ...named("Delete") })];
  const box = el("article", { className: "card" }, el("h2", {}, one.fullName, " ", mark),
    el("p", { className: "note" }, mail(one.email), ` · ${when(one.created_at)}`), el("p", { className: "text" }, one.message),
    el("div", { className: "press" }, buttons, el("span", { role: "status", className: "says" })));
  return box;
}
