// Calls to the service, and the session of who is signed in.

const TOKEN = "mechtech.token";

/** A refusal of the service: its status, code and sentence, and a sentence for each wrong field. */
export class Refusal extends Error {
  constructor(status, body) {
    super(body.message);
    Object.assign(this, { status, code: body.error, fields: body.fields ?? {} });
  }
}

export const session = {
  token: localStorage.getItem(TOKEN),
  /** Resolves after signing in anew; without it a refusal for want of a token is one like others. */
  signIn: null,
  keep(token) {
    this.token = token;
    if (token) localStorage.setItem(TOKEN, token);
    else localStorage.removeItem(TOKEN);
  },
};

/** What the service answers. Throws Refusal. A session that expired waits for the sign-in, and the call is made again. */
export async function call(method, path, body, headers = {}) {
  if (!session.token && path !== "auth/login") await session.signIn?.();
  const sent = session.token;
  const answer = await send(method, path, body, headers, sent);
  if (answer instanceof Refusal) {
    if (answer.status === 401 && answer.code !== "invalid_credentials" && session.signIn) {
      if (session.token === sent) await session.signIn(answer);
      return call(method, path, body, headers);
    }
    throw answer;
  }
  return answer;
}

async function send(method, path, body, headers, token) {
  const options = { method, headers: { ...headers } };
  if (token) options.headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  try {
    const response = await fetch(`/api/${path}`, options);
    const answer = await response.json();
    if (response.ok) return answer;
    const wait = response.headers.get("Retry-After");
    if (wait) answer.message += ` Please try again in ${wait > 90 ? `${Math.ceil(wait / 60)} minutes` : `${wait} s`}.`;
    return new Refusal(response.status, answer);
  } catch {
    return new Refusal(0, { error: "unreachable", message: "The service cannot be reached. Please try again." });
  }
}

let last = {};

/** A header for a POST that may be tried again: the same body has the same key until it succeeds. */
export function retryKey(body) {
  const text = JSON.stringify(body);
  if (last.text !== text) {
    const random = crypto.getRandomValues(new Uint32Array(4));
    last = { text, key: Array.from(random, (part) => part.toString(36)).join("-") };
  }
  return { "Idempotency-Key": last.key };
}

export function forgetKey() {
  last = {};
}

export function query(parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== "" && value != null);
  return `?${new URLSearchParams(given)}`;
}
