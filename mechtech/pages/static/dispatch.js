// The dispatch page: signing in, which view is shown, and the refresh of what waits.
import { call, make, query, refusal, session } from "./api.js";
import { showAll, row } from "./all.js";
import { $, action, count, el, field, form, place, say } from "./dom.js";
import { showMechanics } from "./mechanics.js";
import { showMessages } from "./messages.js";
import { openBooking } from "./opened.js";

const SECONDS = 30; // between two refreshes
let known = null; // numbers of the bookings that were there at the first look, or were opened since
let refreshed = 0; // when; Infinity while a refresh is on its way
let refreshes = 0;
let asking = null; // a promise and what resolves it, while the page asks to sign in

const account = [
  field("email", "E-mail", { type: "email", autocomplete: "username", prefix: "sign-in-" }),
  field("password", "Password", { type: "password", autocomplete: "current-password", prefix: "sign-in-" }),
];
const signIn = form(account, "Sign in", async (typed) => {
  const { token, user } = await call("POST", "auth/login", typed);
  if (user.role !== "admin") throw refusal(403, { fields: { email: "This account is not an admin's." } });
  session.keep(token);
  signIn.elements.password.value = "";
  asking.resolve();
  asking = null;
  $("sign-in").close();
});
$("sign-in").append(signIn);
$("sign-in").addEventListener("cancel", (event) => event.preventDefault());
$("sign-in").addEventListener("close", () => asking && $("sign-in").showModal());

/** Over the page, which keeps all that was typed. */
session.signIn = (refused) => {
  if (!asking) {
    asking = Promise.withResolvers();
    const kept = session.token && `${refused.message} All that you typed is kept.`;
    $("sign-in-why").textContent = kept || "For those who run the garage.";
    $("sign-in").showModal();
    signIn.elements[signIn.elements.email.value ? "password" : "email"].focus();
  }
  return asking.promise;
};

$("sign-out").addEventListener("click", async ({ target }) => {
  target.disabled = true;
  const here = ({ message }) => confirm(`${message} Or sign out in this browser alone, and stay signed in elsewhere?`);
  if (!(await call("POST", "auth/logout").catch(here))) return (target.disabled = false);
  session.keep("");
  location.reload();
});

/** One call; the rows keep the focus of who is among them. */
export async function refresh() {
  refreshed = Infinity;
  const number = ++refreshes;
  try {
    const { total, bookings } = await call("GET", `booking${query({ status: "pending", order: "oldest", limit: 200 })}`);
    if (number < refreshes) return; // what a later one shows is newer
    known ??= new Set(bookings.map(({ id }) => id));
    const unseen = bookings.filter(({ id }) => !known.has(id)).length;
    const focused = document.activeElement?.id;
    const rows = bookings.map((one) => row(one, { unseen: !known.has(one.id), waits: true }));
    $("waiting-rows").replaceChildren(...(total ? rows : [el("li", { className: "none" }, "Nobody waits.")]));
    if (focused) $(focused)?.focus({ preventScroll: true });
    Object.assign($("count"), { textContent: total, hidden: !total });
    document.title = `${total ? `(${total}) ` : ""}Dispatch – MechTECH`;
    const news = unseen ? count(unseen, "new booking") : "";
    if ($("news").textContent !== news) $("news").textContent = news; // a screen reader says it once
    const time = new Date().toLocaleTimeString(undefined, { hour12: false });
    say($("refreshed"), `Oldest first. As of ${time}, every ${SECONDS} s.`);
  } catch (refused) {
    say($("refreshed"), `Not refreshed: ${refused.message}`, true);
  } finally {
    refreshed = Date.now();
  }
}

setInterval(() => {
  if (!document.hidden && !asking && Date.now() - refreshed >= SECONDS * 1000 - 500) refresh();
}, 1000);

/** Say which of the links leads to where we are. */
const mark = (links, hash) =>
  document.querySelectorAll(links).forEach((a) => a.setAttribute("aria-current", a.hash === hash));

/** What stands behind the # is a view or a booking's reference, as in the links of mails. */
async function show() {
  const [, number] = location.hash.match(/^#bk0*(\d+)$/i) ?? [];
  document.body.classList.toggle("opened", Boolean(number));
  if (number) {
    known?.add(Number(number));
    mark(".rows a", location.hash);
    document.querySelectorAll(`a[href="${location.hash}"] .unseen`).forEach((mark) => mark.remove());
    return openBooking(Number(number), refresh);
  }
  const asked = location.hash.slice(1) || "waiting";
  const view = document.querySelector(`[data-view="${CSS.escape(asked)}"]`) ? asked : "waiting";
  document.querySelectorAll("[data-view]").forEach((section) => (section.hidden = section.dataset.view !== view));
  mark("nav a", `#${view}`);
  window.scrollTo(0, 0);
  say($("trouble"), "");
  const load = { all: showAll, messages: showMessages, mechanics: showMechanics }[view];
  const trouble = ({ message }) => document.querySelector(`[data-view="${view}"]`).hidden || say($("trouble"), message, true);
  await load?.().catch(trouble);
}

async function enter(typed, node) {
  const made = await make("booking", typed);
  const link = `${location.origin}/booking#token=${made.bookingToken}`;
  const text = field("link", `Link for the customer of ${made.id}`, { value: link, readOnly: true });
  const copy = (button) => {
    text.querySelector("input").select();
    button.textContent = document.execCommand("copy") ? "Copied" : "Please copy it by hand"; // without HTTPS too
  };
  const press = [action("Copy the link", copy), el("a", { href: `#${made.id}` }, `Open ${made.id}`)];
  $("made").replaceChildren(el("div", { className: "card" }, text, el("div", { className: "press" }, press)));
  text.querySelector("input").focus(); // it is above the form, out of sight
  node.reset();
  refresh();
  return `${made.id} is entered.`;
}
const input = (name, label, properties) => field(name, label, { prefix: "new-", ...properties });
const fields = [
  input("name", "Name"), input("phone", "Phone", { type: "tel" }), input("email", "E-mail", { type: "email" }),
  input("service_type", "Service", { hint: "For example Towing, Flat Tire, Battery Service." }),
  input("vehicleType", "Vehicle", { hint: "Car, motorcycle, truck …" }), input("brand", "Brand"), input("model", "Model"),
  input("location", "Place"), place("new-"), input("description", "What happened", { type: "textarea", rows: 4 }),
];
$("new-form").append(form(fields, "Enter the booking", enter, "wide"));
window.addEventListener("hashchange", show);
document.addEventListener("click", ({ target }) => target.closest('a[href^="#"]')?.hash === location.hash && show());
mark("nav a", "#waiting");
await refresh();
await show();
