import { h } from './dom.js';

/** What is wrong with a form, at its top, with links to the fields; it takes the focus. */
export class ErrorSummary {
  element = h('div', { class: 'notice bad', tabindex: '-1', role: 'group', 'aria-labelledby': 'error-summary', hidden: true });

  clear() {
    this.element.hidden = true;
    this.element.replaceChildren();
  }

  /** @param entries Of each error its text and, where it has one, its field's control. */
  show(problem, entries) {
    const link = (text, input) => h('a', { href: `#${input.id}`, onclick: (event) => follow(event, input) }, text);
    const items = entries.map(({ text, input }) => h('li', {}, input ? link(text, input) : text));
    this.element.replaceChildren(h('h2', { id: 'error-summary' }, problem.title ?? 'The form can’t be sent'),
      items.length > 0 ? h('ul', {}, items) : h('p', {}, problem.detail ?? problem.message));
    this.element.hidden = false;
    this.element.focus();
    this.element.scrollIntoView({ block: 'nearest' });
  }
}

/** The address is the page's; a fragment of its own would be another page. */
function follow(event, input) {
  event.preventDefault();
  input.focus();
}
