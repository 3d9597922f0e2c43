// A new password, by the token in the link of a mail; without one, the form that asks for such a mail.

import { call, session } from "./api.js";
import { $, el, field, form } from "./dom.js";

const token = new URLSearchParams(location.hash.slice(1)).get("token");
const again = () => el("p", {}, el("a", { href: "/reset", click: () => (location.hash = "") }, "Ask for another link"));

function chooseForm() {
  const fields = [
    field("newPassword", "New password", { type: "password", autocomplete: "new-password", hint: "8 characters at least." }),
    field("repeated", "Once more", { type: "password", autocomplete: "new-password" }),
  ];
  return form(fields, "Set the password", async ({ newPassword, repeated }) => {
    if (newPassword !== repeated) throw { message: "", fields: { repeated: "The two are not the same." }, status: 400 };
    const { message } = await call("POST", "auth/reset", { token, newPassword });
    history.replaceState(null, "", "/reset");
    $("reset").replaceChildren(el("p", { role: "status" }, message, " You can sign in with it now."));
  });
}

function askForm() {
  const email = field("email", "E-mail", { type: "email", autocomplete: "email", hint: "The one of your account." });
  return form([email], "Mail me a link", async (typed) => (await call("POST", "auth/forgot", typed)).message);
}

session.token = null; // none is looked at here
window.addEventListener("hashchange", () => location.reload());
$("reset").replaceChildren(...(token ? [chooseForm(), again()] : [askForm()]));
