// Figures and times as people read them.
import { h } from "./dom.js";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const precise = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

export const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

export function number(value) {
  if (!isNumber(value)) return "–";
  return Math.abs(value) >= 100 || Number.isInteger(value) ? whole.format(value) : precise.format(value);
}
export const percent = (value) => (isNumber(value) ? `${precise.format(value)} %` : "–");

export function bytes(value) {
  if (!isNumber(value)) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? whole.format(value) : precise.format(value)} ${units[unit]}`;
}

export function seconds(value) {
  if (!isNumber(value)) return "–";
  if (value < 1) return `${whole.format(value * 1000)} ms`;
  if (value < 60) return `${precise.format(value)} s`;
  const s = Math.round(value);
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}
export const milliseconds = (value) => (isNumber(value) ? seconds(value / 1000) : "–");
export function microseconds(value) {
  if (!isNumber(value)) return "–";
  return value < 1000 ? `${precise.format(value)} µs` : milliseconds(value / 1000);
}

const clock = (date) => date.toLocaleTimeString("en-GB");
const day = (date) =>
  `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, "0")}-${String(date.getDate()).padStart(2, "0")}`;

// A moment in local time, with UTC in its title.
export function time(utc) {
  const date = new Date(utc ?? "");
  if (Number.isNaN(date.getTime())) return document.createTextNode("–");
  const isToday = day(date) === day(new Date());
  return h(
    "time",
    { datetime: date.toISOString(), title: `${date.toISOString().replace(/\.\d+/, "")} (UTC)` },
    isToday ? clock(date) : `${day(date)} ${clock(date)}`,
  );
}
export const clockOf = (milliseconds) => clock(new Date(milliseconds));

export function plural(count, one, many = `${one}s`) {
  return `${number(count)} ${count === 1 ? one : many}`;
}
