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

/** A labelled field. type: of an input, "textarea", or "select" with options [[value, text], …]. */
export function field(name, label, { type = "text", options = [], value, prefix = "", hint, ...rest } = {}) {
  const id = `${prefix}${name}`;
  const plain = !["textarea", "select"].includes(type);
  const choices = options.map(([key, text]) => el("option", { value: key }, text));
  const input = el(plain ? "input" : type, { id, name, ...(plain && { type }), ...rest }, choices);
  if (value != null) input.defaultValue = value;
  if (hint) input.setAttribute("aria-describedby", `${id}-hint`);
  const note = hint && el("small", { id: `${id}-hint` }, hint);
  return el("div", { className: "field" }, el("label", { htmlFor: id }, label), input, note);
}

/** A form that calls save(values, form) and shows the sentence it returns, or the refusal, each error at its field. */
export function form(fields, label, save, className = "") {
  const says = el("p", { role: "status", className: "says" });
  const press = el("button", { className: "primary" }, label);
  const bottom = el("div", { className: "press" }, press, says);
  const submit = async (event) => {
    event.preventDefault();
    if (press.disabled) return;
    node.querySelectorAll(".error").forEach((error) => error.remove());
    node.querySelectorAll("[aria-invalid]").forEach((input) => input.removeAttribute("aria-invalid"));
    press.disabled = true;
    try {
      say(says, (await save(values(node), node)) ?? "");
    } catch (refusal) {
      showRefusal(node, says, refusal);
    } finally {
      press.disabled = false;
    }
  };
  const node = el("form", { noValidate: true, className, submit }, fields, bottom);
  return node;
}

/** What was typed, by name; numbers as numbers. */
function values(node) {
  const typed = Object.fromEntries(new FormData(node));
  for (const name of ["latitude", "longitude", "cost", "experience_years", "rating"]) {
    const text = typed[name]?.trim().replace(",", ".");
    if (text !== undefined) typed[name] = text === "" ? null : Number.isNaN(Number(text)) ? text : Number(text);
  }
  return typed;
}

export function say(node, text, wrong = false) {
  node.textContent = text;
  node.classList.toggle("wrong", wrong);
}

function showRefusal(node, says, refusal) {
  if (!("status" in refusal)) throw refusal;
  const others = [];
  for (const [name, text] of Object.entries(refusal.fields)) {
    const input = node.querySelector(`[name="${CSS.escape(name)}"]`);
    if (!input) others.push(text);
    else {
      const id = `${input.id}-error`;
      input.setAttribute("aria-invalid", "true");
      input.setAttribute("aria-errormessage", id);
      input.closest(".field").append(el("p", { id, className: "error", role: "alert" }, text));
    }
  }
  say(says, [refusal.message, ...others].join(" "), true);
  node.querySelector("[aria-invalid]")?.focus();
}

/** A button that does one thing at a time. A refusal is shown by `refused`, or in the nearest place for it. */
export function action(text, run, { className = "", question, refused, ...rest } = {}) {
  const click = async ({ target }) => {
    if (question && !confirm(question)) return;
    const says = target.closest(":has(.says)")?.querySelector(".says");
    target.disabled = true;
    try {
      await run(target);
    } catch (refusal) {
      const sentence = [refusal.message, ...Object.values(refusal.fields ?? {})].join(" ");
      if (refused) await refused(refusal, sentence);
      else say(says, sentence, true);
    } finally {
      target.disabled = false;
    }
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

/** What of the typed differs from what is there; of a place on the map always both. */
export function changed(typed, before) {
  const unlike = ([name, value]) => (value === "" ? null : value) !== (before[name] === "" ? null : (before[name] ?? null));
  const changes = Object.fromEntries(Object.entries(typed).filter(unlike));
  const { latitude, longitude } = typed;
  return "latitude" in changes || "longitude" in changes ? { ...changes, latitude, longitude } : changes;
}

export function facts(pairs) {
  const given = pairs.filter(([, value]) => value != null && value !== "");
  return el("dl", {}, given.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}
export const phone = (number) => number && el("a", { href: `tel:${number.replace(/[^\d+]/g, "")}` }, number);
export const mail = (address) => address && el("a", { href: `mailto:${encodeURIComponent(address)}` }, address);
export const status = (name) => el("span", { className: `status ${name}` }, name);
export function map({ latitude, longitude }) {
  const href = `https://www.openstreetmap.org/?mlat=${latitude}&mlon=${longitude}#map=16/${latitude}/${longitude}`;
  return latitude != null && el("a", { href, target: "_blank", rel: "noreferrer" }, `${latitude}, ${longitude}`);
}

export const when = (time) =>
  new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short", hour12: false });
export function waited(time) {
  const minutes = Math.max(0, Math.floor((Date.now() - new Date(time)) / 60000));
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`;
}
export function history(steps) {
  const by = (who) => (who === "admin" ? "the garage" : `the ${who}`);
  const line = (step) => el("li", {}, status(step.status), ` ${when(step.at)}, by ${by(step.by)}`);
  return el("ol", { className: "history" }, steps.map(line));
}
