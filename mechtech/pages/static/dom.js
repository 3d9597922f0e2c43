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

/** A labelled field. type: of an input, "textarea", or "select" with options [[value, text], …]. */
export function field(name, label, { type = "text", options, value, prefix = "", hint, ...rest } = {}) {
  const id = `${prefix}${name}`;
  const tag = ["textarea", "select"].includes(type) ? type : "input";
  const input = el(tag, { id, name, ...(tag === "input" && { type }), ...rest });
  if (options) input.append(...options.map(([key, text]) => el("option", { value: key }, text)));
  if (value != null) input[tag === "textarea" ? "textContent" : "value"] = value;
  if (tag === "input" && value != null) input.defaultValue = value;
  if (hint) input.setAttribute("aria-describedby", `${id}-hint`);
  const note = hint && el("small", { id: `${id}-hint` }, hint);
  return el("div", { className: "field" }, el("label", { htmlFor: id }, label), input, note);
}

/** A form that calls save(values, form) and shows the sentence it returns, or the refusal, each error at its field. */
export function form(fields, button, save, properties = {}) {
  const says = el("p", { role: "status", className: "says" });
  const press = el("button", { type: "submit", className: "primary" }, button);
  const node = el("form", { noValidate: true, ...properties }, ...fields, el("div", { className: "press" }, press, says));
  node.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (press.disabled) return;
    clearErrors(node);
    press.disabled = true;
    try {
      say(says, (await save(values(node), node)) ?? "");
    } catch (refusal) {
      showRefusal(node, says, refusal);
    } finally {
      press.disabled = false;
    }
  });
  return node;
}

/** What was typed, by name; a pair of coordinates as numbers. */
function values(node) {
  const typed = Object.fromEntries(new FormData(node));
  for (const name of ["latitude", "longitude", "cost", "experience_years", "rating"]) {
    if (!(name in typed)) continue;
    const number = Number(typed[name].trim().replace(",", "."));
    typed[name] = typed[name].trim() === "" ? null : Number.isNaN(number) ? typed[name] : number;
  }
  return typed;
}

export function say(node, text, wrong = false) {
  node.textContent = text;
  node.classList.toggle("wrong", wrong);
}

function clearErrors(node) {
  node.querySelectorAll(".error").forEach((error) => error.remove());
  node.querySelectorAll("[aria-invalid]").forEach((input) => {
    input.removeAttribute("aria-invalid");
    input.removeAttribute("aria-errormessage");
  });
}

function showRefusal(node, says, refusal) {
  const homeless = [];
  for (const [name, text] of Object.entries(refusal.fields ?? {})) {
    const input = node.querySelector(`[name="${CSS.escape(name)}"]`);
    if (!input) homeless.push(text);
    else {
      const id = `${input.id}-error`;
      input.setAttribute("aria-invalid", "true");
      input.setAttribute("aria-errormessage", id);
      input.closest(".field").append(el("p", { id, className: "error", role: "alert" }, text));
    }
  }
  if (!("status" in refusal)) throw refusal;
  say(says, [refusal.message, ...homeless].join(" "), true);
  node.querySelector("[aria-invalid]")?.focus();
}

/** Fields for a place on the map; a pair that is pasted into the first is divided between both. */
export function place(prefix, { latitude, longitude } = {}) {
  const hint = "For example 40.7061; a pasted “40.7061, -73.9969” fills both.";
  const first = field("latitude", "Latitude", { prefix, value: latitude, autocomplete: "off", hint });
  const second = field("longitude", "Longitude", { prefix, value: longitude, autocomplete: "off" });
  first.addEventListener("input", ({ target }) => {
    const pair = target.value.match(/^\s*(-?[\d.]+)\s*[,;\s]\s*(-?[\d.]+)\s*$/);
    if (pair) [target.value, second.querySelector("input").value] = pair.slice(1);
  });
  return el("div", { className: "pair" }, first, second);
}

/** What of the typed differs from what the booking or mechanic has. */
export function changed(typed, before) {
  const differs = ([name, value]) => (value === "" ? null : value) !== (before[name] === "" ? null : (before[name] ?? null));
  const changes = Object.fromEntries(Object.entries(typed).filter(differs));
  if ("latitude" in changes || "longitude" in changes) {
    Object.assign(changes, { latitude: typed.latitude, longitude: typed.longitude });
  }
  return changes;
}

export function facts(pairs) {
  const given = pairs.filter(([, value]) => value != null && value !== "");
  return el("dl", {}, given.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

export const phone = (number) => number && el("a", { href: `tel:${number.replace(/[^\d+]/g, "")}` }, number);
export const mail = (address) => address && el("a", { href: `mailto:${encodeURIComponent(address)}` }, address);
export const status = (name) => el("span", { className: `status ${name}` }, name);
export const when = (time) =>
  new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short", hour12: false });

export function map({ latitude, longitude }) {
  if (latitude == null) return null;
  const address = `https://www.openstreetmap.org/?mlat=${latitude}&mlon=${longitude}#map=16/${latitude}/${longitude}`;
  return el("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, `map (${latitude}, ${longitude})`);
}

export function waited(time) {
  const minutes = Math.max(0, Math.floor((Date.now() - new Date(time)) / 60000));
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`;
}

export function history(steps) {
  const line = ({ status: name, at, by }) => el("li", {}, status(name), ` ${when(at)}, by ${by === "admin" ? "the garage" : `the ${by}`}`);
  return el("ol", { className: "history" }, steps.map(line));
}
