import { Problem } from './problem.js';
import { session } from './session.js';

/** The daemon's address, without a slash at its end. */
export const server = new URL('.', document.baseURI).href.replace(/\/$/, '');

/** Path segments; what a name has of slashes doesn't become a path. */
export const path = (...segments) => ['v1', ...segments].map(encodeURIComponent).join('/');

export const jobPath = (id, ...rest) => path('jobs', id, ...rest);

/** An answer of the API as it comes; throws a `Problem` for every other than a success or 304. */
export async function send(method, path, { body, headers = {}, signal } = {}) {
  const token = session.token;
  const fields = { ...headers };
  if (token) fields.Authorization = `Bearer ${token}`;
  if (body !== undefined) fields['Content-Type'] = 'application/json';
  let response;
  try {
    response = await fetch(`${server}/${path}`, {
      method, headers: fields, signal, body: body === undefined ? undefined : JSON.stringify(body), cache: 'no-store', credentials: 'omit',
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw Problem.unreachable(error);
  }
  if (response.ok || response.status === 304) return response;
  const problem = await Problem.of(response);
  // A token that was changed meanwhile isn't the one that was refused.
  if (response.status === 401 && token === session.token) session.lock(problem);
  throw problem;
}

export const getJSON = async (path, options) => (await send('GET', path, options)).json();

/** All pages of a list, at most `limit` elements. */
export async function getAll(path, limit, signal) {
  const elements = [];
  let after = '';
  while (elements.length < limit) {
    const page = await getJSON(`${path}?limit=1000${after}`, { signal });
    elements.push(...page.data);
    if (!page.has_more || page.data.length === 0) break;
    after = `&after=${encodeURIComponent(page.last_id)}`;
  }
  return elements;
}
