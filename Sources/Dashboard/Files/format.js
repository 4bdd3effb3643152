// Values as people read them, in the words and with the digits of gptqctl.

export function bytes(count) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let [value, unit] = [count, 0];
  while (value >= (unit === 0 ? 1024 : 1023.95) && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return unit === 0 ? `${count} B` : `${value.toFixed(1)} ${units[unit]}`;
}

export function duration(seconds) {
  if (!Number.isFinite(seconds) || seconds < 0) return '–';
  if (seconds < 10 && !Number.isInteger(seconds)) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Three significant digits; very small and large numbers in scientific notation. */
export function significant(value) {
  if (value === undefined || value === null) return '–';
  if (value === 0) return '0';
  const size = Math.abs(value);
  return size >= 0.001 && size < 10_000 ? value.toPrecision(3) : value.toExponential(2);
}

/** A damping as it was asked for: no more digits than it has. */
export const damping = (value) => (value === undefined ? '–' : String(Number(value.toPrecision(3))));

export const percent = (fraction) => `${Math.floor(fraction * 100)} %`;

export const count = (value) => (value === undefined || value === null ? '–' : value.toLocaleString('en'));

export const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? '' : 's'}`;

export const shape = (sizes) => sizes.join(' × ');

/** snake_case names of the API as words. */
export const words = (name) => (name ?? '–').replaceAll('_', ' ');

export const time = (text) =>
  new Date(text).toLocaleString('en-GB', {
    year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit',
  });

/** Seconds between two times of the API, the second of which may be now. */
export const secondsBetween = (start, end) => ((end ? new Date(end) : new Date()) - new Date(start)) / 1000;
