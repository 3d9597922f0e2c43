// All that a site needs of the API, without a library:
//   import { client } from "./client.js";
//   const mechtech = client("https://api.mechtech.example", { onExpired: (sentence) => askToSignIn(sentence) });
// A refusal is an Error with error, message, fields, status and headers; where no answer came, it is a TypeError.
export function client(api, { storage = localStorage, onExpired = () => {} } = {}) {
  const unfinished = {}; // the Idempotency-Key of each POST that has not succeeded yet
  const account = () => storage.getItem("mechtech.token");
  const opener = (reference) => storage.getItem(`mechtech.${reference}`) ?? account();
  const keep = ({ token, user }) => (storage.setItem("mechtech.token", token), user);

  const noAnswer = () => Promise.reject(new TypeError("The service cannot be reached. Please try again."));

  async function call(method, path, body, token = account(), headers = {}) {
    if (token) headers.Authorization = `Bearer ${token}`;
    if (body) headers["Content-Type"] = "application/json";
    const request = { method, headers, body: body && JSON.stringify(body), signal: AbortSignal.timeout(30_000) };
    const response = await fetch(`${api}/api/${path}`, request).catch(noAnswer);
    const answer = await response.json().catch(noAnswer);
    if (response.ok) return answer;
    if (token && token === account() && ["token_expired", "unauthorized"].includes(answer.error)) {
      storage.removeItem("mechtech.token");
      onExpired(answer.message);
    }
    throw Object.assign(new Error(), answer, { status: response.status, headers: response.headers });
  }
  /** A POST that makes one row, whether it is sent again by itself, since no answer came, or by another press. */
  async function make(path, body) {
    const sent = path + JSON.stringify(body);
    const key = (unfinished[sent] ??= crypto.getRandomValues(new Uint32Array(4)).join("-"));
    const send = () => call("POST", path, body, account(), { "Idempotency-Key": key });
    const again = async (failure) => {
      if (failure.status < 502) throw failure;
      await new Promise((resolve) => setTimeout(resolve, 1000));
      return send();
    };
    const made = await send().catch(again).catch(again);
    delete unfinished[sent];
    if (made.bookingToken) storage.setItem(`mechtech.${made.id}`, made.bookingToken);
    return made;
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
