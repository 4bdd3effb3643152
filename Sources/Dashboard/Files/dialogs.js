import { freshID, h } from './dom.js';
import { problemBox } from './notices.js';

/**
 * Asks before something is done. The browser keeps the focus inside, closes on Escape and gives the focus back.
 *
 * `act` is called when the user agrees; if it throws, the dialog stays and says why.
 */
export function confirm({ title, text, fields = [], verb, isDangerous = false, act }) {
  const heading = freshID('dialog');
  const trouble = h('div');
  const close = () => dialog.close();
  const agree = h('button', { class: isDangerous ? 'danger' : 'primary', type: 'button' }, verb);
  agree.addEventListener('click', async () => {
    agree.disabled = true;
    try {
      await act();
      close();
    } catch (problem) {
      trouble.replaceChildren(problemBox(problem));
      agree.disabled = false;
      agree.focus();
    }
  });
  const dialog = h('dialog', { 'aria-labelledby': heading, onclose: () => dialog.remove() },
    h('h2', { id: heading }, title), h('p', {}, text),
    fields.map((field) => field.element), trouble,
    h('div', { class: 'actions' }, h('button', { type: 'button', onclick: close }, 'Back'), agree));
  document.body.append(dialog);
  dialog.showModal();
}
