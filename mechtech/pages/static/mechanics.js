// Mechanics: add, change, verify.

import { call } from "./api.js";
import { $, changed, el, field, form, phone, place } from "./dom.js";

let loaded = false;

/** What is typed into the form stays; the list is read anew. */
export async function showMechanics() {
  if (!loaded) showForm();
  loaded = true;
  const { mechanics } = await call("GET", "mechanics?verified=all&limit=200");
  mechanics.sort((a, b) => a.verified - b.verified || a.name.localeCompare(b.name));
  $("mechanics-rows").replaceChildren(...mechanics.map(row));
}

function row(one) {
  const says = el("span", { role: "status", className: "says" });
  const verify = async ({ target }) => {
    target.disabled = true;
    try {
      await call("PUT", `mechanics/${one.id}`, { verified: !one.verified });
      await showMechanics();
    } catch (refusal) {
      says.textContent = refusal.message;
      target.disabled = false;
    }
  };
  const edit = () => showForm(one).querySelector("input").focus();
  const button = (text, click, kind = "") => el("button", { type: "button", className: kind, "aria-label": `${text} ${one.name}`, click }, text);
  const facts = [one.specializations, `${one.experience_years} years`, one.review_count && `★ ${one.rating} (${one.review_count})`];
  const mark = el("span", { className: `status ${one.verified ? "completed" : "pending"}` }, one.verified ? "verified" : "unverified");
  return el("li", {},
    el("span", { className: "who" }, el("span", {}, el("strong", {}, one.name), " ", mark), el("span", {}, phone(one.phone)),
      el("span", { className: "note" }, facts.filter(Boolean).join(" · "))),
    el("span", { className: "press" }, button("Change", edit), one.verified ? button("Unverify", verify) : button("Verify", verify, "primary"), says));
}

function showForm(one = null) {
  const prefix = "mechanic-";
  const value = one ?? {};
  const fields = [
    field("name", "Name", { prefix, value: value.name }),
    field("phone", "Phone", { prefix, type: "tel", value: value.phone }),
    field("email", "E-mail", { prefix, type: "email", value: value.email }),
    field("experience_years", "Years of experience", { prefix, inputMode: "numeric", value: value.experience_years }),
    field("specializations", "Specializations", { prefix, value: value.specializations, hint: "For example Engine Repair, Towing." }),
    place(prefix, value),
  ];
  const save = async (typed) => {
    const changes = one ? changed(typed, one) : typed;
    if (!Object.keys(changes).length) return "Nothing is changed.";
    const { message } = await (one ? call("PUT", `mechanics/${one.id}`, changes) : call("POST", "mechanics", changes));
    showForm().querySelector(".says").textContent = message;
    $("mechanic-form").firstChild.open = false;
    await showMechanics();
  };
  const node = form(fields, one ? "Save" : "Add", save, { className: "wide" });
  const close = el("button", { type: "button", click: () => showForm() }, "Leave it as it was");
  if (one) node.querySelector(".press").append(close);
  const box = el("details", { open: Boolean(one) }, el("summary", {}, one ? `Change ${one.name}` : "Add a mechanic"), node);
  $("mechanic-form").replaceChildren(box);
  return box;
}
