// A booking opened: everything of it, and what can be done next.

import { call, query, Refusal } from "./api.js";
import { $, changed, el, facts, field, form, history, mail, map, phone, place, say, status, when } from "./dom.js";

const NEAREST = 5; // mechanics shown
const WITH_SLOTS = 3; // of those, how many are asked for their free slots: each is a call
const RADIUS = 100; // km

let shown = 0; // the number of the booking that stands there, or is on its way

/** Load it and show it. done: called after each change. */
export async function openBooking(number, done, sentence = "", wrong = false) {
  shown = number;
  const section = $("opened");
  if (section.dataset.number !== String(number)) section.replaceChildren(el("p", { className: "note" }, "One moment …"));
  try {
    const { booking } = await call("GET", `booking/${number}`);
    if (shown !== number) return;
    keepTyped(section, String(number), () => section.replaceChildren(...content(booking, done)));
    say($("opened-says"), sentence, wrong);
    if (!sentence) {
      section.focus({ preventScroll: true });
      window.scrollTo(0, 0);
    }
  } catch (refusal) {
    if (shown !== number) return;
    section.replaceChildren(back(), el("p", { className: "says wrong", role: "alert" }, refusal.message));
  }
}

/** What was typed into the same booking's forms survives its being shown anew. */
function keepTyped(section, number, render) {
  const typed = new Map();
  if (section.dataset.number === number) {
    section.querySelectorAll("input, textarea").forEach((input) => {
      if (input.value !== input.defaultValue) typed.set(input.id, input.value);
    });
  }
  section.dataset.number = number;
  render();
  for (const [id, value] of typed) if ($(id)) $(id).value = value;
  section.querySelectorAll("details").forEach((one) => (one.open ||= [...typed.keys()].some((id) => one.querySelector(`#${id}`))));
}

const back = () => el("button", { type: "button", className: "back quiet", click: () => window.history.back() }, "← Back");

function content(one, done) {
  const final = ["completed", "cancelled"].includes(one.status);
  const { service } = one;
  const review = service?.rating && [`${"★".repeat(service.rating)}${"☆".repeat(5 - service.rating)} `, service.review];
  const press = (text, changes, kind = "primary", question) =>
    el("button", { type: "button", className: kind, click: (event) => (!question || confirm(question)) && change(event.target, changes) }, text);

  async function save(changes) {
    const { message } = await call("PUT", `booking/${one.id}`, changes);
    await openBooking(one.id, done, message);
    done();
  }

  async function change(button, changes) {
    button.disabled = true;
    try {
      await save(changes);
    } catch (refusal) {
      const fields = Object.values(refusal.fields).join(" ");
      const text = [refusal.message, fields, refusal.status === 409 && "This is how it stands now."].filter(Boolean).join(" ");
      if (refusal.status === 409) await openBooking(one.id, done, text, true);
      else say($("opened-says"), text, true);
      done();
    } finally {
      button.disabled = false;
    }
  }

  const steps = el("div", { className: "press" });
  if (one.status === "confirmed") steps.append(press("Start the service", { status: "in-progress" }));
  if (!final) steps.append(press("Cancel the booking", { status: "cancelled" }, "danger", `Cancel ${one.reference} of ${one.name}?`));
  if (one.user_id == null) steps.append(linkAgain(one));

  const parts = [
    back(),
    el("h2", {}, `${one.reference} `, status(one.status)),
    el("p", { id: "opened-says", role: "alert", className: "says" }),
    facts([
      ["Name", one.name], ["Phone", phone(one.phone)], ["E-mail", mail(one.email)],
      ["Service", one.service_type], ["Vehicle", `${one.vehicle_type} · ${one.vehicle_brand} ${one.vehicle_model}`],
      ["Place", one.location], ["Map", map(one)], ["What happened", one.description],
      ["Mechanic", one.mechanic && el("span", {}, `${one.mechanic.name} · `, phone(one.mechanic.phone))],
      ["Cost", one.cost?.toFixed(2)], ["Service date", service && when(service.service_date)],
      ["Review", review && el("span", {}, ...review)],
      ["Account", one.user_id == null ? "guest" : `number ${one.user_id}`], ["Booked", when(one.created_at)],
    ]),
  ];
  if (one.status === "pending") parts.push(mechanics(one, press, "Confirm with"));
  if (one.status === "in-progress" || one.status === "completed") parts.push(costForm(one, save));
  parts.push(steps);
  if (["confirmed", "in-progress"].includes(one.status)) {
    const box = el("details", {}, el("summary", {}, one.mechanic ? "Give it to another mechanic" : "Give it to a mechanic"));
    box.addEventListener("toggle", () => box.children.length === 1 && box.append(mechanics(one, press, "Give to")), { once: true });
    parts.push(box);
  }
  if (!final) parts.push(corrections(one, save));
  parts.push(el("h3", {}, "History"), history(one.history));
  return parts;
}

/** The nearest with a free slot; without a place, or with nobody near it, the best rated ones. */
function mechanics(one, press, verb) {
  const confirms = one.status === "pending";
  const list = el("ul", { className: "rows nearest" });
  const title = el("h3", {}, "Nearest free mechanics");
  const step = (mechanicId) => ({ ...(confirms && { status: "confirmed" }), mechanicId });
  const without = confirms && press("Confirm without a mechanic", step(null), "");
  const load = async () => {
    const ask = async (parameters) =>
      (await call("GET", `mechanics${query({ available: "true", limit: NEAREST, ...parameters })}`)).mechanics;
    let found = one.latitude == null ? [] : await ask({ latitude: one.latitude, longitude: one.longitude, radius: RADIUS });
    if (!found.length) {
      title.textContent = one.latitude == null ? "Free mechanics (no place on the map is known)" : `Free mechanics (none within ${RADIUS} km)`;
      found = await ask({});
    }
    found = found.filter(({ id }) => id !== one.mechanic?.id);
    if (!found.length) list.append(el("li", { className: "none" }, "No mechanic has a free slot."));
    found.forEach((mechanic, index) => {
      const slots = el("span", {});
      const facts = [mechanic.distance_km != null && `${mechanic.distance_km} km`, mechanic.review_count && `★ ${mechanic.rating}`];
      const near = el("span", {}, facts.filter(Boolean).join(" · "), slots);
      const can = el("span", { className: "note" }, mechanic.specializations);
      const who = el("span", { className: "who" }, el("strong", {}, mechanic.name), near, can);
      list.append(el("li", {}, who, press(`${verb} ${mechanic.name}`, step(mechanic.id), index || !confirms ? "" : "primary")));
      if (index < WITH_SLOTS) showSlots(mechanic.id, slots);
    });
  };
  load().catch((refusal) => list.append(el("li", { className: "wrong" }, refusal.message)));
  return el("div", { className: "card" }, title, list, without);
}

async function showSlots(id, node) {
  const { availableSlots, capacity } = await call("GET", `mechanics/${id}/availability`).catch(() => ({}));
  if (capacity) node.textContent = ` · ${availableSlots} of ${capacity} slots free`;
}

function costForm(one, save) {
  const completed = one.status === "completed";
  const fields = [
    field("cost", "Cost", { prefix: "opened-", inputMode: "decimal", value: one.cost }),
    field("serviceDate", "Service date", { prefix: "opened-", type: "date", hint: completed ? "" : "Today, if empty." }),
  ];
  const send = (typed) => save({ ...(!completed && { status: "completed" }), cost: typed.cost, ...(typed.serviceDate && { serviceDate: typed.serviceDate }) });
  const node = form([el("div", { className: "pair" }, ...fields)], completed ? "Correct it" : "Complete", send);
  return el("div", { className: "card" }, el("h3", {}, completed ? "Cost and date" : "Complete the service"), node);
}

function corrections(one, save) {
  const prefix = "correct-";
  const fields = [
    field("phone", "Phone", { prefix, type: "tel", value: one.phone }),
    field("location", "Place", { prefix, value: one.location }),
    place(prefix, one),
    field("description", "What happened", { prefix, type: "textarea", rows: 4, value: one.description }),
  ];
  const node = form(fields, "Save the corrections", async (typed) => {
    const changes = changed(typed, one);
    if (!Object.keys(changes).length) return "Nothing is changed.";
    await save(changes);
  });
  return el("details", {}, el("summary", {}, "Correct the phone, the place or the description"), node);
}

function linkAgain(one) {
  const send = async ({ target }) => {
    const answer = await call("POST", `booking/${one.id}/link`, { email: one.email }).catch((refusal) => refusal);
    say($("opened-says"), answer.message, answer instanceof Refusal);
    target.blur();
  };
  return el("button", { type: "button", click: send }, "Mail the guest their link");
}
