// Elements, forms and times. Text goes into the page as text nodes alone, so nothing that a customer wrote is ever run.
export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child != null && child !== false && child !== ""));
  return node;
}
export const $ = (id) => document.getElementById(id);
export const dotted = (...parts) => parts.filter(Boolean).join(" · ");
/** "1 booking", "2 bookings"; totals stop at 10,000. */
export const count = (number, word) => `${number}${number >= 10000 ? " or more" : ""} ${word}${number === 1 ? "" : "s"}`;

/** A labelled field. type: of an input, "textarea", or "select" with options [[value, text], …]. */
export function field(name, label, { type = "text", options = [], value, prefix = "", hint, ...rest } = {}) {
  const id = `${prefix}${name}`;
  const plain = !["textarea", "select"].includes(type);
  const choices = options.map(([key, text]) => el("option", { value: key }, text));
  const described = hint && { "aria-describedby": `${id}-hint` };
  const input = el(plain ? "input" : type, { id, name, dir: "auto", ...(plain && { type }), ...described, ...rest }, choices);
  if (value != null) input.defaultValue = value;
  const note = hint && el("small", { id: `${id}-hint` }, hint);
  return el("div", { className: "field" }, el("label", { htmlFor: id }, label), input, note);
}

/** A form that calls save(values, form) and shows the sentence it returns, or the refusal, each error at its field. */
export function form(fields, label, save, className = "") {
  const says = el("p", { role: "status", className: "says" });
  const press = el("button", { className: "primary" }, label);
  const send = async () => {
    node.querySelectorAll(".error").forEach((error) => error.remove());
    node.querySelectorAll("[aria-invalid]").forEach((input) => input.removeAttribute("aria-invalid"));
    say(says, "");
    say(says, (await save(values(node), node)) ?? says.textContent);
  };
  const submit = (event) => {
    event.preventDefault();
    once(press, send, (refused) => say(says, showErrors(node, refused), true));
  };
  const node = el("form", { noValidate: true, className, submit }, fields, el("div", { className: "press" }, press, says));
  return node;
}

/** Run it, unless it runs already: the button is disabled meanwhile. What it throws goes to `failed`. */
async function once(button, run, failed) {
  if (button.disabled) return;
  button.disabled = true;
  await run().catch(failed).finally(() => (button.disabled = false));
}

const NUMBERS = ["latitude", "longitude", "cost", "experience_years", "rating"];
const number = (text) => (text === "" ? null : Number.isNaN(Number(text)) ? text : Number(text));
const typed = ([name, text]) => [name, NUMBERS.includes(name) ? number(text.trim().replace(",", ".")) : text];
/** What was typed, by name; numbers as numbers. */
const values = (node) => Object.fromEntries([...new FormData(node)].map(typed));

export function say(node, text, wrong = false) {
  node.textContent = text;
  node.classList.toggle("wrong", wrong);
}

/** Each error at its field; what is left to say. */
function showErrors(node, { message, fields }) {
  const left = Object.entries(fields).filter(([name, text]) => {
    const input = node.querySelector(`[name="${CSS.escape(name)}"]`);
    const id = `${input?.id}-error`;
    input?.setAttribute("aria-invalid", "true");
    input?.setAttribute("aria-errormessage", id);
    input?.closest(".field").append(el("p", { id, className: "error", role: "alert" }, text));
    return !input;
  });
  node.querySelector("[aria-invalid]")?.focus();
  return [message, ...left.map(([, text]) => text)].join(" ");
}

/** A button that does one thing at a time. A refusal is shown by `refused`, or in the nearest place for it. */
export function action(text, run, { className = "", question, refused, ...rest } = {}) {
  const click = ({ target }) => {
    if (question && !confirm(question)) return;
    const says = target.closest(":has(.says)")?.querySelector(".says");
    once(target, async () => run(target), (failure) => {
      const sentence = [failure.message, ...Object.values(failure.fields ?? {})].join(" ");
      return refused ? refused(failure, sentence) : say(says, sentence, true);
    });
  };
  return el("button", { type: "button", className, click, ...rest }, text);
}

/** Fields for a place on the map; a pair that is pasted into the first is divided between both. */
export function place(prefix, { latitude, longitude } = {}) {
  const hint = "For example 40.7061; a pasted “40.7061, -73.9969” fills both.";
  const first = field("latitude", "Latitude", { prefix, value: latitude, autocomplete: "off", hint });
  const second = field("longitude", "Longitude", { prefix, value: longitude, autocomplete: "off" });
  first.addEventListener("input", ({ target }) => {
    const pair = target.value.match(/^\s*(-?[\d.]+)[\s,;]+(-?[\d.]+)\s*$/);
    if (pair) [target.value, second.querySelector("input").value] = pair.slice(1);
  });
  return el("div", { className: "pair" }, first, second);
}

/** Send what of the typed differs from what is there; of a place on the map always both. */
export async function sendChanges(typed, before, send) {
  const known = (value) => (value === "" ? null : (value ?? null));
  const unlike = ([name, value]) => known(value) !== known(before[name]);
  const changes = Object.fromEntries(Object.entries(typed).filter(unlike));
  const { latitude, longitude } = typed;
  if ("latitude" in changes || "longitude" in changes) Object.assign(changes, { latitude, longitude });
  return Object.keys(changes).length ? send(changes) : "Nothing is changed.";
}

const fact = ([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value));
export const facts = (pairs) => el("dl", {}, pairs.filter(([, value]) => value != null && value !== "").map(fact));
export const phone = (number) => number && el("a", { href: `tel:${number.split(/ext|x/i)[0].replace(/[^\d+]/g, "")}` }, number);
export const mail = (address) => address && el("a", { href: `mailto:${encodeURIComponent(address)}` }, address);
export const status = (name) => el("span", { className: `status ${name}` }, name);
export function map({ latitude, longitude }) {
  const href = `https://www.openstreetmap.org/?mlat=${latitude}&mlon=${longitude}#map=16/${latitude}/${longitude}`;
  return latitude != null && el("a", { href, target: "_blank", rel: "noreferrer" }, `${latitude}, ${longitude}`);
}

export const when = (time) =>
  new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short", hour12: false });
export const date = (time) => new Date(time).toLocaleDateString(undefined, { dateStyle: "medium" });
export function waited(time) {
  const minutes = Math.max(0, Math.floor((Date.now() - new Date(time)) / 60000));
  const [days, hours] = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24];
  if (days) return `${days} d ${hours} h`;
  return hours ? `${hours} h ${minutes % 60} min` : `${minutes} min`;
}
export function history(steps) {
  const by = { admin: "the garage", customer: "the customer", guest: "the guest" };
  const line = (step) => el("li", {}, status(step.status), ` ${when(step.at)}, by ${by[step.by]}`);
  return el("ol", { className: "history" }, steps.map(line));
}
