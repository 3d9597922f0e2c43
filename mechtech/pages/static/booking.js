// A guest's booking, opened by the token in the link: see it, correct it, cancel it, review it.

import { call, session } from "./api.js";
import { $, action, date, el, facts, field, form, history, map, phone, place, say, sendChanges, status } from "./dom.js";

const CORRECTED_UNTIL = ["pending", "confirmed"];

const token = new URLSearchParams(location.hash.slice(1)).get("token");
const number = numberIn(token);

/** The booking's number in the token; null for what is no such token. */
function numberIn(text) {
  try {
    const claims = text.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return Number(JSON.parse(atob(claims)).bookingId) || null;
  } catch {
    return null;
  }
}

async function show(sentence = "") {
  try {
    const { booking } = await call("GET", `booking/${number}`);
    document.title = `${booking.reference} – MechTECH`;
    $("booking").replaceChildren(...content(booking));
    tell(sentence);
  } catch (refusal) {
    if (refusal.status === 401 || refusal.status === 404) return askForLink("This link is no longer good. We can mail you a new one.");
    tell(`${sentence} ${refusal.message}`, true);
    if (!$("booking").firstChild) $("booking").append(action("Try again", () => show()));
  }
}

/** Above the booking, where it is seen: on a telephone the button that was pressed is far below. */
const tell = (sentence, wrong = false) => (say($("says"), sentence, wrong), window.scrollTo(0, 0));

function content(one) {
  const open = CORRECTED_UNTIL.includes(one.status);
  const parts = [el("h1", {}, `${one.reference} `, status(one.status))];
  if (one.mechanic) {
    const words = one.status === "completed" ? "Your mechanic was" : "Your mechanic is";
    parts.push(el("p", { className: "card who" }, words, el("strong", {}, one.mechanic.name), phone(one.mechanic.phone)));
  } else if (one.status === "pending") {
    parts.push(el("p", { className: "card who" }, "We have your booking. As soon as a mechanic is found, their name and phone stand here."));
  }
  parts.push(
    facts([
      ["Name", one.name], ["Phone", one.phone], ["E-mail", one.email], ["Service", one.service_type],
      ["Vehicle", `${one.vehicle_type} · ${one.vehicle_brand} ${one.vehicle_model}`],
      ["Place", one.location], ["Map", map(one) || null], ["What happened", one.description],
      ["Cost", one.cost?.toFixed(2)], ["Service date", one.service && date(one.service.service_date)],
      ["Your review", one.service?.rating && `${"★".repeat(one.service.rating)} ${one.service.review ?? ""}`],
    ]),
  );
  if (one.status === "completed" && !one.service.rating) parts.push(reviewForm(one));
  if (open) parts.push(corrections(one), el("div", { className: "press" }, cancelButton()));
  parts.push(el("h2", {}, "History"), history(one.history));
  return parts;
}

function corrections(one) {
  const fields = [
    field("phone", "Phone", { type: "tel", value: one.phone, autocomplete: "tel" }),
    field("location", "Place", { value: one.location }),
    place("", one),
    field("description", "What happened", { type: "textarea", rows: 4, value: one.description }),
  ];
  const save = async (changes) => {
    await call("PUT", `booking/${number}`, changes);
    await show("Thank you, it is corrected.");
  };
  const node = form(fields, "Save", (typed) => sendChanges(typed, one, save));
  const here = async () => {
    const ask = (found, failed) => navigator.geolocation.getCurrentPosition(found, failed, { timeout: 20_000 });
    const { coords } = await new Promise(ask).catch(() => Promise.reject({ message: "Your place is not known. Please type it." }));
    node.elements.latitude.value = coords.latitude.toFixed(6);
    node.elements.longitude.value = coords.longitude.toFixed(6);
  };
  node.querySelector(".pair").after(el("div", { className: "press" }, action("I am here", here)));
  return el("details", {}, el("summary", {}, "Correct your phone, place or description"), node);
}

function cancelButton() {
  const cancel = async () => show((await call("DELETE", `booking/${number}`)).message);
  const refused = async ({ status }, sentence) => {
    if (status === 409) await show();
    tell(sentence, true);
  };
  return action("Cancel the booking", cancel, { className: "danger", question: "Cancel this booking?", refused });
}

function reviewForm(one) {
  const star = (rating) => el("label", {}, el("input", { type: "radio", name: "rating", id: `rating-${rating}`, value: rating }), `${rating} ★`);
  const stars = el("fieldset", { className: "stars field" }, el("legend", {}, "How was it?"), [1, 2, 3, 4, 5].map(star));
  const fields = [stars, field("review", "In your words", { type: "textarea", rows: 4 })];
  const node = form(fields, "Send the review", async (typed) => {
    const { message } = await call("POST", `booking/${number}/review`, typed);
    await show(message);
  });
  return el("div", { className: "card" }, el("h2", {}, "Your review"), node);
}

function askForLink(sentence) {
  const fields = [
    field("reference", "Reference", { hint: "It looks like BK000001." }),
    field("email", "E-mail", { type: "email", autocomplete: "email", hint: "The one that you booked with." }),
  ];
  const node = form(fields, "Mail me the link", async ({ reference, email }) => {
    if (!/^\s*(bk)?\d+\s*$/i.test(reference)) throw { message: "", fields: { reference: "This is not a reference." }, status: 400 };
    return (await call("POST", `booking/${reference.trim()}/link`, { email })).message;
  });
  say($("says"), sentence);
  $("booking").replaceChildren(el("h1", {}, "Your booking"), node);
}

session.token = token;
window.addEventListener("hashchange", () => location.reload());
if (number) await show();
else askForLink("With the link of your mail this page shows your booking. We can mail it to you again.");
