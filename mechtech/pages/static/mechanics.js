// Mechanics: add, change, verify.
import { call } from "./api.js";
import { $, action, dotted, el, field, form, phone, place, say, sendChanges } from "./dom.js";

const ask = () => call("GET", "mechanics?verified=all&limit=200");
/** That list takes a token that is over for none, and refuses; the profile asks to sign in. */
export const allMechanics = () => ask().catch(() => call("GET", "auth/profile").then(ask));

/** What is typed into the form stays; the list is read anew. */
export async function showMechanics() {
  if (!$("mechanic-form").firstChild) showForm();
  const { mechanics } = await allMechanics();
  mechanics.sort((a, b) => a.verified - b.verified || a.name.localeCompare(b.name));
  $("mechanics-rows").replaceChildren(...mechanics.map(row));
}

function row(one) {
  const verify = () => call("PUT", `mechanics/${one.id}`, { verified: !one.verified }).then(showMechanics);
  const word = one.verified ? "Unverify" : "Verify";
  const rating = one.review_count && `★ ${one.rating} (${one.review_count})`;
  const mark = el("span", { className: `status ${one.verified ? "" : "pending"}` }, one.verified ? "verified" : "unverified");
  const who = el("span", { className: "who" }, el("span", {}, el("strong", {}, one.name), " ", mark),
    el("span", {}, phone(one.phone)),
    el("span", { className: "note" }, dotted(one.specializations, `${one.experience_years} years`, rating)));
  return el("li", {}, who, el("span", { className: "press" },
    action("Change", () => showForm(one).querySelector("input").focus(), { "aria-label": `Change ${one.name}` }),
    action(word, verify, { "aria-label": `${word} ${one.name}`, className: one.verified ? "" : "primary" }),
    el("span", { role: "status", className: "says" })));
}

function showForm(one = null) {
  const given = (name) => ({ prefix: "mechanic-", value: one?.[name] });
  const fields = [
    field("name", "Name", given("name")), field("phone", "Phone", { type: "tel", ...given("phone") }),
    field("email", "E-mail", { type: "email", ...given("email") }),
    field("experience_years", "Years of experience", { inputMode: "numeric", ...given("experience_years") }),
    field("specializations", "Specializations", { hint: "For example Engine Repair, Towing.", ...given("specializations") }),
    place("mechanic-", one ?? {}),
  ];
  const save = async (changes) => {
    await call(one ? "PUT" : "POST", one ? `mechanics/${one.id}` : "mechanics", changes);
    showForm();
    await showMechanics().catch(({ message }) => say($("trouble"), `It is saved. ${message}`, true));
  };
  const node = form(fields, one ? "Save" : "Add", (typed) => (one ? sendChanges(typed, one, save) : save(typed)), "wide");
  if (one) node.querySelector(".press").append(action("Leave it as it was", () => showForm()));
  const box = el("details", { open: Boolean(one) }, el("summary", {}, one ? `Change ${one.name}` : "Add a mechanic"), node);
  $("mechanic-form").replaceChildren(box);
  return box;
}
