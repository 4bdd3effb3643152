// Pages by the address's fragment: #/jobs, #/jobs/ID, #/new, #/token.
import { h } from './dom.js';
import { problemBox } from './notices.js';

let current = null;

/** Shows the page of the address, now and whenever it changes. */
export function startRouter(pages, main) {
  const show = () => open(pages, main);
  window.addEventListener('hashchange', show);
  // What a page had asked for that was left meanwhile.
  window.addEventListener('unhandledrejection', (event) => {
    if (event.reason?.name === 'AbortError') event.preventDefault();
  });
  show();
  return show;
}

export const go = (place) => (location.hash = place);

/** Segments and parameters of a fragment. */
export function parse(hash) {
  const [place, query = ''] = hash.replace(/^#\/?/, '').split('?');
  return { segments: place.split('/').filter(Boolean).map(decode), query: new URLSearchParams(query) };
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function open(pages, main) {
  const { segments, query } = parse(location.hash);
  const [name = 'jobs', ...rest] = segments;
  const isFirst = current === null;
  current?.abort();
  const page = new AbortController();
  current = page;
  for (const dialog of document.querySelectorAll('dialog')) dialog.close();
  markNavigation(name, rest);
  let view;
  try {
    const make = pages[name === 'jobs' && rest.length > 0 ? 'job' : name] ?? pages.missing;
    view = await make({ argument: rest[0], query, signal: page.signal });
  } catch (error) {
    // Without a token the user is asked for it.
    if (page.signal.aborted || error.status === 401) return;
    view = { title: 'Not shown', element: h('div', {}, h('h1', {}, 'This can’t be shown'), problemBox(error)) };
  }
  // The user went on while the page was being made.
  if (page.signal.aborted) return;
  main.replaceChildren(view.element);
  document.title = `${view.title} · gptqd`;
  const heading = main.querySelector('h1');
  heading.tabIndex = -1;
  // A page that the browser has just opened begins at its start; later ones are read from their heading.
  if (!isFirst) heading.focus();
  view.shown?.();
}

function markNavigation(name, rest) {
  for (const link of document.querySelectorAll('nav a')) {
    const isHere = link.hash === `#/${name}`;
    if (!isHere) link.removeAttribute('aria-current');
    else link.setAttribute('aria-current', rest.length > 0 ? 'true' : 'page');
  }
}
