// All that a site needs of the API, without a library:
//   import { client } from "./client.js";
//   const mechtech = client("https://api.mechtech.example", { onExpired: (sentence) => askToSignIn(sentence) });
// A refusal is an Error with error, message, fields, status and headers; where no answer came, it is a TypeError.
export function client(api, { storage = localStorage, onExpired = () => {} } = {}) {
  const unfinished = {}; // the Idempotency-Key of each POST that has not succeeded yet
  const account = () => storage.getItem("mechtech.token");
  const opener = (reference) => storage.getItem(`mechtech.${reference}`) ?? account();
  const keep = ({ token, user }) => (storage.setItem("mechtech.token", token), user);

  async function call(method, path, body, token = account(), key = null) {
    const headers = { ...(token && { Authorization: `Bearer ${token}` }), ...(key && { "Idempotency-Key": key }) };
    if (body) headers["Content-Type"] = "application/json";
    const response = await fetch(`${api}/api/${path}`, { method, headers, body: body && JSON.stringify(body) });
    const answer = await response.json().catch(() => ({ error: "unavailable", message: "Please try again." }));
    if (response.ok) return answer;
    if (token && token === account() && ["token_expired", "unauthorized"].includes(answer.error)) {
      storage.removeItem("mechtech.token");
      onExpired(answer.message);
    }
    throw Object.assign(new Error(), answer, { status: response.status, headers: response.headers });
  }
  /** A POST that makes one row, whether it is sent again by itself, since no answer came, or by another press. */
  async function make(path, body, triesLeft = 2) {
    const sent = path + JSON.stringify(body);
    unfinished[sent] ??= crypto.getRandomValues(new Uint32Array(4)).join("-");
    try {
      const made = await call("POST", path, body, account(), unfinished[sent]);
      delete unfinished[sent];
      if (made.bookingToken) storage.setItem(`mechtech.${made.id}`, made.bookingToken);
      return made;
    } catch (failure) {
      if (failure.status < 502 || !triesLeft) throw failure;
      await new Promise((resolve) => setTimeout(resolve, 1000));
      return make(path, body, triesLeft - 1);
    }
  }
  return {
    call, // for what has no function here: call("PUT", "auth/profile", { phone: null })
    signUp: (fields) => call("POST", "auth/signup", fields).then(keep),
    signIn: (email, password) => call("POST", "auth/login", { email, password }).then(keep),
    signOut: () => call("POST", "auth/logout").finally(() => storage.removeItem("mechtech.token")),
    contact: (fields) => make("contact", fields),
    book: (fields) => make("booking", fields),
    booking: (reference) => call("GET", `booking/${reference}`, undefined, opener(reference)),
    cancel: (reference) => call("DELETE", `booking/${reference}`, undefined, opener(reference)),
    review: (reference, fields) => call("POST", `booking/${reference}/review`, fields, opener(reference)),
    /** The account's bookings: for await (const { bookings, total } of mechtech.pages({ limit: 20 })) … */
    async *pages(query) {
      const page = await call("GET", `booking?${new URLSearchParams(query)}`);
      yield page;
      if (page.nextCursor) yield* this.pages({ ...query, cursor: page.nextCursor });
    },
  };
}
