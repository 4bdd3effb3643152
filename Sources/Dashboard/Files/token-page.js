import { announce } from './announcer.js';
import { getJSON } from './api.js';
import { h } from './dom.js';
import { field } from './fields.js';
import { go } from './router.js';
import { session } from './session.js';

const unknown = 'is not one that the server knows';

/** Where the token is given; also where the API sends those whom it refuses. */
export function tokenPage({ query, signal }) {
  const hint = 'As “gptqd token new NAME” printed it. This tab keeps it until it is closed.';
  const token = field({ label: 'Token', hint, type: 'password' });
  const refused = query.has('then');
  if (refused && session.token) token.report(unknown);
  const then = query.get('then')?.startsWith('#/') ? query.get('then') : '#/jobs';

  const submit = async (event) => {
    event.preventDefault();
    token.report(null);
    session.token = token.input.value.trim();
    try {
      await getJSON('v1/jobs?limit=1', { signal });
      announce('The token is accepted.');
      go(then);
    } catch (problem) {
      if (signal.aborted) return;
      if (problem.status === 401) session.token = '';
      token.report(problem.status === 401 ? unknown : `can’t be checked: ${problem.detail}`);
      token.input.focus();
    }
  };
  const forget = () => {
    session.token = '';
    token.input.value = '';
    announce('The token is forgotten.');
    go('#/jobs');
  };
  return {
    title: 'Token',
    shown: () => token.input.focus(),
    element: h('div', { class: 'narrow' }, h('h1', {}, 'Token'),
      refused && h('p', {}, 'The server answers only requests with a token.'),
      h('form', { onsubmit: submit, 'aria-label': 'Token' }, token.element,
        h('div', { class: 'actions' }, h('button', { class: 'primary', type: 'submit' }, 'Use this token'),
          session.token && !refused && h('button', { type: 'button', onclick: forget }, 'Forget the token')))),
  };
}
