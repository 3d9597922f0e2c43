// A booking opened: everything of it, and what can be done next.
import { call, query } from "./api.js";
import { $, action, date, dotted, el, facts, field, form, history, mail, map, phone, place, say, sendChanges, status, when } from "./dom.js";

const NEAREST = 5; // mechanics shown
const WITH_SLOTS = 3; // of those, how many are asked for their free slots: each is a call
const RADIUS = 100; // km
let shown = 0; // the number of the booking that stands there, or is on its way

/** Load it and show it; what was typed into the same booking's forms stays. done: called after each change. */
export async function openBooking(number, done, sentence = "", wrong = false) {
  shown = number;
  const section = $("opened");
  const same = section.dataset.number === String(number);
  if (!same) section.replaceChildren(el("p", { className: "note" }, "One moment …"));
  const answer = await call("GET", `booking/${number}`).catch((refused) => refused);
  if (shown !== number) return;
  const { booking, message } = answer;
  if (!booking && same && $("opened-says")) return tell(`${sentence} ${message}`, true);
  const content = booking ? parts(booking, done) : [back(), el("p", { className: "wrong", role: "alert" }, message)];
  const inputs = same ? [...section.querySelectorAll("input, textarea")] : [];
  const typed = inputs.filter(({ value, defaultValue }) => value !== defaultValue);
  section.dataset.number = number;
  section.replaceChildren(...content);
  for (const { id, value } of typed.filter(({ id }) => $(id))) {
    $(id).value = value;
    $(id).closest("details")?.setAttribute("open", "");
  }
  section.focus({ preventScroll: true });
  if ($("opened-says")) tell(sentence, wrong);
}

/** Above the booking, where it is seen: on a telephone the button that was pressed is far below. */
const tell = (sentence, wrong = false) => (say($("opened-says"), sentence, wrong), window.scrollTo(0, 0));
const back = () => action("← Back", () => document.querySelector("nav [aria-current=true]").click(), { className: "back quiet" });

function parts(one, done) {
  const { service } = one;
  const final = ["completed", "cancelled"].includes(one.status);
  const save = async (changes, node) => {
    try {
      const { message } = await call("PUT", `booking/${one.id}`, changes);
      for (const input of node?.elements ?? []) input.defaultValue = input.value; // it is not to be kept as typed
      await openBooking(one.id, done, message);
    } catch (refusal) {
      if (refusal.status !== 409) throw refusal;
      await openBooking(one.id, done, `${refusal.message} This is how it stands now.`, true);
    }
    done();
  };
  const refused = (_, sentence) => tell(sentence, true);
  const press = (text, changes, className = "", question) => action(text, () => save(changes), { className, question, refused });
  const mailLink = () => call("POST", `booking/${one.id}/link`, { email: one.email });
  const link = async () => tell((await mailLink()).message);
  const review = service?.rating && dotted("★".repeat(service.rating) + "☆".repeat(5 - service.rating), service.review);
  return [
    back(),
    el("h2", {}, `${one.reference} `, status(one.status)),
    el("p", { id: "opened-says", role: "alert", className: "says" }),
    facts([
      ["Name", one.name], ["Phone", phone(one.phone)], ["E-mail", mail(one.email)], ["Service", one.service_type],
      ["Vehicle", dotted(one.vehicle_type, `${one.vehicle_brand} ${one.vehicle_model}`)],
      ["Place", one.location], ["Map", map(one) || null], ["What happened", one.description],
      ["Mechanic", one.mechanic && el("span", {}, `${one.mechanic.name} · `, phone(one.mechanic.phone))],
      ["Cost", one.cost?.toFixed(2)], ["Service date", service && date(service.service_date)], ["Review", review],
      ["Account", one.user_id == null ? "guest" : `number ${one.user_id}`], ["Booked", when(one.created_at)],
    ]),
    one.status === "pending" && mechanics(one, press),
    ["in-progress", "completed"].includes(one.status) && costForm(one, save),
    el("div", { className: "press" },
      one.status === "confirmed" && press("Start the service", { status: "in-progress" }, "primary"),
      !final && press("Cancel the booking", { status: "cancelled" }, "danger", `Cancel ${one.reference} of ${one.name}?`),
      one.user_id == null && action("Mail the guest their link", link)),
    ["confirmed", "in-progress"].includes(one.status) && another(one, press),
    !final && corrections(one, save),
    el("h3", {}, "History"), history(one.history),
  ].filter(Boolean);
}

function another(one, press) {
  const box = el("details", {}, el("summary", {}, one.mechanic ? "Give it to another mechanic" : "Give it to a mechanic"));
  box.addEventListener("toggle", () => box.append(mechanics(one, press)), { once: true });
  return box;
}

/** The nearest with a free slot; without a place, or with none near it, the best rated ones. */
function mechanics(one, press) {
  const { latitude, longitude, status, mechanic } = one;
  const pending = status === "pending";
  const changes = (mechanicId) => (pending ? { status: "confirmed", mechanicId } : { mechanicId });
  const title = el("h3", {}, "Nearest free mechanics");
  const list = el("ul", { className: "rows nearest" });
  const ask = async (names) => (await call("GET", `mechanics${query({ available: "true", limit: NEAREST, ...names })}`)).mechanics;
  const load = async () => {
    let found = latitude == null ? [] : await ask({ latitude, longitude, radius: RADIUS });
    if (!found.length) {
      title.append(latitude == null ? " (no place on the map is known)" : ` (none within ${RADIUS} km: the best rated)`);
      found = await ask({});
    }
    found = found.filter(({ id }) => id !== mechanic?.id);
    if (!found.length) list.append(el("li", { className: "none" }, "No other mechanic has a free slot."));
    found.forEach((other, index) => {
      const slots = el("span", {});
      if (index < WITH_SLOTS) showSlots(other.id, slots);
      const far = other.distance_km != null && `${other.distance_km} km`;
      const who = el("span", { className: "who" }, el("strong", {}, other.name),
        el("span", {}, dotted(far, other.review_count && `★ ${other.rating}`), slots),
        el("span", { className: "note" }, other.specializations));
      const text = `${pending ? "Confirm with" : "Give to"} ${other.name}`;
      list.append(el("li", {}, who, press(text, changes(other.id), pending && !index ? "primary" : "")));
    });
  };
  load().catch((refused) => list.append(el("li", { className: "wrong" }, refused.message)));
  return el("div", { className: "card" }, title, list, pending && press("Confirm without a mechanic", changes(null)));
}

async function showSlots(id, node) {
  const { availableSlots, capacity } = await call("GET", `mechanics/${id}/availability`).catch(() => ({}));
  if (capacity) node.textContent = ` · ${availableSlots} of ${capacity} slots free`;
}

function costForm(one, save) {
  const completed = one.status === "completed";
  const fields = el("div", { className: "pair" },
    field("cost", "Cost", { prefix: "opened-", inputMode: "decimal", value: one.cost }),
    field("serviceDate", "Service date", { prefix: "opened-", type: "date", hint: completed ? "" : "Today, if empty." }));
  const noon = (day) => day && { serviceDate: new Date(`${day}T12:00`).toISOString() }; // of this clock, not Greenwich's
  const send = ({ cost, serviceDate }, node) => save({ ...(!completed && { status: "completed" }), cost, ...noon(serviceDate) }, node);
  const title = el("h3", {}, completed ? "Cost and date" : "Complete the service");
  return el("div", { className: "card" }, title, form([fields], completed ? "Correct it" : "Complete", send));
}

function corrections(one, save) {
  const given = (name, rest) => ({ prefix: "correct-", value: one[name], ...rest });
  const fields = [
    field("phone", "Phone", given("phone", { type: "tel" })), field("location", "Place", given("location")),
    place("correct-", one), field("description", "What happened", given("description", { type: "textarea", rows: 4 })),
  ];
  const send = (typed, node) => sendChanges(typed, one, (changes) => save(changes, node));
  const node = form(fields, "Save the corrections", send);
  return el("details", {}, el("summary", {}, "Correct the phone, the place or the description"), node);
}
