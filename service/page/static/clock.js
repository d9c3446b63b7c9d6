// The service's clock, as far as it is known here. Its zero is anywhere, so ages are what is shown.

// No line ends between a number and its unit.
const NBSP = "\u00a0";

let offset = 0;

const here = () => performance.now() / 1000;

/** Take note that the service's clock says `at` now. */
export function set(at) {
  offset = at - here();
}

/** Give the service's time, in seconds. */
export const now = () => here() + offset;

/** Give the seconds since `at`. */
export const since = (at) => Math.max(0, now() - at);

/** Give a time of the service's clock as the time of day. */
export function timeOfDay(at) {
  const time = new Date(Date.now() - (now() - at) * 1000);
  return time.toLocaleTimeString([], { hour12: false });
}

/** Give seconds in words: the two largest units. */
export function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole}${NBSP}s`;
  if (whole < 3600) return joined(whole, 60, "min", 1, "s");
  if (whole < 86400) return joined(whole, 3600, "h", 60, "min");
  return joined(whole, 86400, "d", 3600, "h");
}

/** Give short times to a tenth: how long something took. */
export const took = (seconds) => (seconds < 10 ? `${seconds.toFixed(1)}${NBSP}s` : span(seconds));

function joined(whole, large, largeName, small, smallName) {
  const rest = Math.floor((whole % large) / small);
  return `${Math.floor(whole / large)}${NBSP}${largeName}` + (rest ? `${NBSP}${rest}${NBSP}${smallName}` : "");
}
