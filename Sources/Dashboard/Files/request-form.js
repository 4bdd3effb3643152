import { field } from './fields.js';
import { freshID, h } from './dom.js';
import { Problem } from './problem.js';
import { main, more, sources } from './request-fields.js';
import { getAt, nearest, setAt, textOf, valueOf } from './request-values.js';

/** The fields of a request. */
export class RequestForm {
  #entries = [];
  #source = 'model';
  #more = h('details', { class: 'panel' });

  constructor(earlier) {
    if (earlier) this.#source = earlier.kind === 'layers' ? 'layers' : typeof earlier.model === 'object' ? 'hub' : 'model';
    const controls = (specifications) =>
      h('div', { class: specifications.length > 1 ? 'grid' : '' }, specifications.map((each) => this.#make(each, earlier)));
    const first = h('section', { class: 'panel', 'aria-label': 'Main options' }, this.#sourceChoice(), controls(main));
    this.element = h('div', {}, first, this.#more);
    this.#more.append(h('summary', {}, h('h2', { class: 'inline' }, 'More options')), h('div', { class: 'spaced' },
      more.map(({ legend, fields }) => h('fieldset', {}, h('legend', {}, legend), controls(fields)))));
    this.#showFields();
  }

  /** The body of a request. Throws a `Problem` for a text that isn't JSON. */
  request() {
    const body = this.#source === 'layers' ? { kind: 'layers' } : {};
    for (const { control, pointer, type } of this.#visible) {
      const text = control.input.value.trim();
      if (text === '') continue;
      try {
        setAt(body, pointer, valueOf(text, type));
      } catch (error) {
        const detail = `is not JSON: ${error.message}`;
        throw new Problem({ title: 'The request has fields that can’t be used', detail, errors: [{ pointer, detail }] });
      }
    }
    return body;
  }

  clearErrors() {
    for (const { control } of this.#entries) control.report(null);
  }

  /** Shows errors at their fields; returns each as `{text, input}`, without `input` where no field has its pointer. */
  report(errors) {
    const details = new Map();
    const entries = errors.map(({ pointer, detail }) => {
      const entry = nearest(this.#visible, pointer);
      if (!entry) return { text: `${pointer || 'The request'} ${detail}` };
      const rest = pointer.startsWith(entry.pointer) ? pointer.slice(entry.pointer.length) : '';
      const text = rest ? `(${rest}) ${detail}` : detail;
      details.set(entry, [...(details.get(entry) ?? []), text]);
      return { text: `${entry.control.label} ${text}`, input: entry.control.input };
    });
    for (const [{ control }, texts] of details) control.report(texts.join('; '));
    if ([...details.keys()].some(({ control }) => this.#more.contains(control.input))) this.#more.open = true;
    return entries;
  }

  suggest(kind, names) {
    for (const entry of this.#entries) if (entry.suggest === kind) entry.control.suggest(names);
  }

  get #visible() {
    return this.#entries.filter((entry) => this.#isVisible(entry));
  }

  #isVisible(entry) {
    return !entry.sources || entry.sources.includes(this.#source);
  }

  #make(specification, earlier) {
    const { type, suggest, isSecret, sources: only } = specification;
    const isOf = !only || only.includes(this.#source);
    const value = earlier && isOf && !isSecret ? textOf(getAt(earlier, specification.pointer), type) : '';
    const numeric = ['integer', 'number'].includes(type);
    const control = field({ ...specification, type: isSecret ? 'password' : 'text', numeric, suggestions: suggest !== undefined, value });
    this.#entries.push({ ...specification, control });
    return control.element;
  }

  #sourceChoice() {
    const name = freshID('source');
    const choose = (event) => ((this.#source = event.target.value), this.#showFields());
    const radio = (value) => h('input', { type: 'radio', name, value, checked: value === this.#source, onchange: choose });
    return h('fieldset', {}, h('legend', {}, 'What is quantized'),
      h('div', { class: 'choices' }, Object.entries(sources).map(([value, text]) => h('label', {}, radio(value), text))));
  }

  #showFields() {
    for (const entry of this.#entries) entry.control.element.hidden = !this.#isVisible(entry);
  }
}
