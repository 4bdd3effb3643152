import { freshID, h } from './dom.js';

/** A labelled control with a hint and a place for what is wrong with it. */
export function field({ label, hint, type = 'text', options, suggestions, rows, value = '', numeric = false }) {
  const id = freshID('field');
  const [hintID, errorID, listID] = [`${id}-hint`, `${id}-error`, `${id}-list`];
  const attributes = { id, 'aria-describedby': hint ? hintID : null, spellcheck: 'false', autocomplete: 'off' };
  let input;
  if (options) input = h('select', attributes, options.map(([value, text]) => h('option', { value }, text)));
  else if (rows) input = h('textarea', { ...attributes, rows });
  else input = h('input', { ...attributes, type, inputmode: numeric ? 'decimal' : null, list: suggestions ? listID : null });
  input.value = value;
  const error = h('p', { id: errorID, class: 'error', hidden: true });
  const list = suggestions ? h('datalist', { id: listID }) : null;
  const element = h('div', { class: 'field' }, h('label', { for: id }, label), input, list,
    hint && h('p', { id: hintID, class: 'hint' }, hint), error);

  /** Shows what is wrong at the control; null: nothing is. */
  const report = (text) => {
    error.hidden = !text;
    error.textContent = text ? `${label} ${text}` : '';
    if (text) input.setAttribute('aria-invalid', 'true');
    else input.removeAttribute('aria-invalid');
    const described = [hint && hintID, text && errorID].filter(Boolean).join(' ');
    if (described) input.setAttribute('aria-describedby', described);
    else input.removeAttribute('aria-describedby');
  };
  const suggest = (names) => list?.replaceChildren(...names.map((name) => h('option', { value: name })));
  return { element, input, label, report, suggest };
}
