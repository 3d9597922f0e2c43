// Calls to the service, and the session of who is signed in.
const TOKEN = "mechtech.token";

/** A refusal of the service: its status, code and sentence, and a sentence for each wrong field. */
export class Refusal extends Error {
  constructor(status, { message, error = "", fields = {} }) {
    super(message);
    Object.assign(this, { status, code: error, fields });
  }
}

export const session = {
  token: localStorage.getItem(TOKEN),
  signIn: null, // asks to sign in, and resolves then; a page without it shows refusals for want of a token like others
  keep(token) {
    this.token = token;
    if (token) localStorage.setItem(TOKEN, token);
    else localStorage.removeItem(TOKEN);
  },
};

/** What the service answers. Throws Refusal. When a session has ended, the call is made again after signing in. */
export async function call(method, path, body, headers = {}) {
  if (!session.token && path !== "auth/login") await session.signIn?.();
  const sent = session.token;
  try {
    return await send(method, path, body, { ...headers, ...(sent && { Authorization: `Bearer ${sent}` }) });
  } catch (refusal) {
    if (refusal.status !== 401 || refusal.code === "invalid_credentials" || !session.signIn) throw refusal;
    if (session.token === sent) await session.signIn(refusal);
    return call(method, path, body, headers);
  }
}

async function send(method, path, body, headers) {
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response, answer;
  try {
    response = await fetch(`/api/${path}`, { method, headers, body: body && JSON.stringify(body) });
    answer = await response.json();
  } catch {
    throw new Refusal(0, { message: "The service cannot be reached. Please try again." });
  }
  if (response.ok) return answer;
  const wait = response.headers.get("Retry-After");
  if (wait) answer.message += ` Please try again in ${wait > 90 ? `${Math.ceil(wait / 60)} minutes` : `${wait} s`}.`;
  throw new Refusal(response.status, answer);
}

let last = {};
/** A header for a POST that may be tried again: the same body has the same key until one succeeds. */
export function retryKey(body) {
  const text = JSON.stringify(body);
  const random = crypto.getRandomValues(new Uint32Array(4));
  if (last.text !== text) last = { text, key: random.join("-") };
  return { "Idempotency-Key": last.key };
}
export const forgetKey = () => (last = {});

export const query = (names) =>
  `?${new URLSearchParams(Object.entries(names).filter(([, value]) => value !== "" && value != null))}`;
