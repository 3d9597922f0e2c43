// Calls to the service, and the session of who is signed in.
const TOKEN = "mechtech.token";

/** What is thrown: its status, code and sentence, and a sentence for each wrong field. */
export const refusal = (status, { message = "", error, fields = {} }) =>
  Object.assign(new Error(message), { status, code: error, fields });

export const session = {
  token: localStorage.getItem(TOKEN), // empty or null: signed out
  signIn: null, // asks to sign in, and resolves then; a page without it shows refusals for want of a token like others
  keep: (token) => localStorage.setItem(TOKEN, (session.token = token)),
};

/** What the service answers, or throws a refusal. After a session has ended, the call is made again once signed in. */
export async function call(method, path, body, headers = {}) {
  if (!session.token && path !== "auth/login") await session.signIn?.();
  const sent = session.token;
  try {
    return await send(method, path, body, { ...headers, ...(sent && { Authorization: `Bearer ${sent}` }) });
  } catch (refused) {
    if (refused.status !== 401 || refused.code === "invalid_credentials" || !session.signIn) throw refused;
    if (session.token === sent) await session.signIn(refused);
    return call(method, path, body, headers);
  }
}

async function send(method, path, body, headers) {
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const unreachable = () => Promise.reject(refusal(0, { message: "The service cannot be reached. Please try again." }));
  const signal = AbortSignal.timeout(60_000); // the longest list takes half of it on a weak line
  const response = await fetch(`/api/${path}`, { method, headers, signal, body: body && JSON.stringify(body) }).catch(unreachable);
  const answer = await response.json().catch(unreachable);
  if (response.ok) return answer;
  const wait = response.headers.get("Retry-After");
  const time = wait > 90 ? `${Math.ceil(wait / 60)} minutes` : `${wait} s`;
  if (wait) answer.message = answer.message.replace(/( later)?\.$/, ` in ${time}.`);
  throw refusal(response.status, answer);
}

const keys = {}; // by what was sent
/** A POST that may be tried again and makes one row: the same body has the same key until one succeeds. */
export async function make(path, body) {
  const key = (keys[JSON.stringify(body)] ??= crypto.getRandomValues(new Uint32Array(4)).join("-"));
  const made = await call("POST", path, body, { "Idempotency-Key": key });
  delete keys[JSON.stringify(body)];
  return made;
}

export const query = (names) =>
  `?${new URLSearchParams(Object.entries(names).filter(([, value]) => value !== "" && value != null))}`;
