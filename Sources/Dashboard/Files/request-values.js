// From the texts of controls to a request and back.

/** What a text stands for; what isn't a number stays a text, which the server refuses in its own words. Throws for what isn't JSON. */
export function valueOf(text, type) {
  switch (type) {
    case 'flag': return text === 'true';
    case 'integer':
    case 'number': return number(text);
    case 'integers': return text === 'none' ? [] : text.split(',').map((part) => number(part.trim()));
    case 'json': return JSON.parse(text);
    default: return text;
  }
}

const number = (text) => (/^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) ? Number(text) : text);

/** The text of a control for a value of a request. */
export function textOf(value, type) {
  if (value === undefined || value === null) return '';
  if (type === 'json') return Array.isArray(value) && value.length === 0 ? '' : JSON.stringify(value, null, 1);
  if (type === 'integers') return value.join(', ') || 'none';
  return typeof value === 'object' ? '' : String(value);
}

const segments = (pointer) => pointer.split('/').slice(1).map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));

/** Puts a value where a JSON pointer (RFC 6901) leads, with the objects on its way. */
export function setAt(object, pointer, value) {
  const names = segments(pointer);
  const last = names.pop();
  for (const name of names) object = object[name] ??= {};
  object[last] = value;
}

export const getAt = (object, pointer) => segments(pointer).reduce((value, name) => value?.[name], object);

/** The entry whose pointer is the longest beginning of `pointer`, or the first below it. */
export function nearest(entries, pointer) {
  const isBelow = (inner, outer) => inner === outer || inner.startsWith(`${outer}/`);
  const around = entries.filter((entry) => isBelow(pointer, entry.pointer)).sort((a, b) => b.pointer.length - a.pointer.length);
  return around[0] ?? (pointer ? entries.find((entry) => isBelow(entry.pointer, pointer)) : undefined);
}
