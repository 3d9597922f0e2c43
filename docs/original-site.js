// Lets the admin and dashboard pages of the original site read this service. In each, before its own script:
//   <script src="original-site.js" data-api="https://api.mechtech.example"></script>
{
  const { api = "" } = document.currentScript.dataset;
  const send = window.fetch;
  const lists = {}; // answers, kept for a minute: the pages ask every 10 or 15 seconds
  let signingIn = null;

  /** A customer's text: as a page cuts it and then puts it into innerHTML, the signs of markup are escaped. */
  class Text extends String {
    toString = () => super.toString().replace(/[&<>"'`]/g, (sign) => `&#${sign.charCodeAt()};`);
    valueOf = this.toString;
    substring = (...range) => new Text(super.valueOf().substring(...range));
  }
  const escaped = (name, value) => (typeof value === "string" && /[&<>"'`]/.test(value) ? new Text(value) : value);
  const renamed = ({ reference, fullName, specializations, ...row }) =>
    ({ ...row, id: reference ?? row.id, name: fullName ?? row.name, specialty: specializations });

  /** The newest 200 as a bare array, whose length counts all; forEach and map pass over what is not there. */
  async function load(path) {
    const token = sessionStorage.getItem("mechtech.token");
    const headers = { Authorization: `Bearer ${token}` };
    const response = await send(`${api}${path}?limit=200`, { headers });
    if ([401, 403].includes(response.status)) {
      if (token === sessionStorage.getItem("mechtech.token")) await (signingIn ??= askToSignIn());
      return load(path); // at once, where another list's sign-in came before this answer
    }
    const { message, total, bookings, messages, mechanics } = JSON.parse(await response.text(), escaped);
    if (!response.ok) throw new Error(message);
    return Object.assign((bookings ?? messages ?? mechanics).map(renamed), { length: total });
  }
  window.fetch = async (address, options) => {
    const { pathname, search } = new URL(address, location);
    const path = pathname.replace(/\/$/, "");
    if (!/^\/(api\/|health$)/.test(path)) return send(address, options);
    if (options || search || !/^\/api\/(booking|contact|mechanics)$/.test(path)) return send(api + path + search, options);
    const list = await (lists[path] ??= load(path).finally(() => setTimeout(() => delete lists[path], 60_000)));
    return Object.assign(new Response(), { json: async () => list });
  };
  const askToSignIn = () => new Promise((resolve) => {
    const dialog = document.body.appendChild(document.createElement("dialog"));
    dialog.style = "margin: auto; padding: 2rem";
    dialog.innerHTML = `<form><p role="alert">Please sign in as an admin.</p>
      <p><label>E-mail <input name="email" type="email" autocomplete="username"></label></p>
      <p><label>Password <input name="password" type="password" autocomplete="current-password"></label></p>
      <button>Sign in</button></form>`;
    dialog.oncancel = (event) => event.preventDefault();
    dialog.onsubmit = async (event) => {
      event.preventDefault();
      const body = JSON.stringify(Object.fromEntries(new FormData(event.target)));
      const login = { method: "POST", headers: { "Content-Type": "application/json" }, body };
      const { token, message } = await send(`${api}/api/auth/login`, login).then((response) => response.json()).catch(
        () => ({ message: "The service cannot be reached. Please try again." }));
      if (!token) return (dialog.querySelector("p").textContent = message);
      sessionStorage.setItem("mechtech.token", token);
      dialog.remove();
      resolve((signingIn = null));
    };
    dialog.showModal();
  });
}
