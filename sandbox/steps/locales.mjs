/**
 * Make the package `@durabox/locales`: what English has of its own in each region, from the locale data of FormatJS.
 *
 * Run by the build in the folder of the bindings. A module for each class of `Intl`; its default export maps tags to
 * [tag of the locale that it is a change to, or null, the change]: JSON merge patches (RFC 7396), as text that is only parsed when
 * somebody asks for the locale. The data are V8's: see `asV8`.
 */

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";

const PACKAGES = {
  DateTimeFormat: "intl-datetimeformat",
  DisplayNames: "intl-displaynames",
  ListFormat: "intl-listformat",
  NumberFormat: "intl-numberformat",
  RelativeTimeFormat: "intl-relativetimeformat",
};
const OUT = "node_modules/@durabox/locales";
/** English by region; other scripts are left out. */
const FILE = /^(en(?:-[\dA-Z]{2,3})?)\.js$/;
/** Fields of a time, and those of a date. */
const TIME = /[aBhHKkmsvz]/;
const DATE = /[GyMEd]/;

function read(name, path) {
  let entry;
  const Intl = { [name]: { __addLocaleData: (given) => (entry = given) } };
  new Function("Intl", readFileSync(path, "utf8"))(Intl);
  return entry.data;
}

/** With plain spaces where the Unicode data has narrow ones. */
function asV8(data) {
  return JSON.parse(JSON.stringify(data).replaceAll(/[\u202f\u2009]/g, " "));
}

/** Which fields a skeleton has, and whether its month is a number: what the package goes by to find the ranges of a date. */
function fields(skeleton) {
  return [...new Set(skeleton.match(/[A-Za-z]/g))].sort().join("") + /MMM/.test(skeleton);
}

/**
 * Dates in a smaller form, which `layers/intl/dates.ts` brings back: formats of a date with a time, most of the data, are its
 * two parts together and not kept; pairs instead of properties have their order kept by patches. Ranges of such a format are not kept
 * at all: a range is its two ends then. With "at" between a long date and a time.
 */
function compact(data) {
  const { gregory } = data.formats;
  const combined = (skeleton) => {
    const at = skeleton.lastIndexOf(", ");
    const [date, time] = [skeleton.slice(0, at), skeleton.slice(at + 2)];
    return at > 0 && TIME.test(time) && !DATE.test(time) && date in gregory && time in gregory ? [date, time] : undefined;
  };
  const skeletons = Object.keys(gregory);
  const pairs = skeletons.map(combined).filter((pair) => pair !== undefined);
  const [dates, times] = [0, 1].map((at) => [...new Set(pairs.map((pair) => pair[at]))]);
  for (const date of dates)
    for (const time of times) assert.equal(gregory[`${date}, ${time}`], `${gregory[date]}, ${gregory[time]}`);
  assert.equal(pairs.length, dates.length * times.length);

  const ranges = Object.entries(data.intervalFormats).filter(([name]) => !name.includes(", "));
  for (const skeleton of dates) {
    if (skeleton in data.intervalFormats) continue;
    const same = ranges.find(([name, range]) => typeof range === "object" && fields(name) === fields(skeleton));
    if (same !== undefined) ranges.push([skeleton, same[1]]);
  }
  const { formats, intervalFormats, ...rest } = data;
  for (const style of ["full", "long"]) rest.dateTimeFormat[style] = "{1} 'at' {0}";
  return {
    ...rest,
    formats: Object.entries(gregory).filter(([skeleton]) => combined(skeleton) === undefined),
    ranges,
    dates,
    times,
  };
}

const isObject = (value) => typeof value === "object" && !Array.isArray(value);

/** As JSON of ASCII alone: the engine keeps texts with other characters in twice the space. */
function write(value) {
  return JSON.stringify(value).replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** The merge patch from one value to another, undefined if they are the same. */
function patch(from, to) {
  assert.notEqual(to, null);
  if (!isObject(from) || !isObject(to)) return JSON.stringify(from) === JSON.stringify(to) ? undefined : to;
  const changes = Object.keys(from).filter((key) => !(key in to)).map((key) => [key, null]);
  for (const key of Object.keys(to)) {
    const change = key in from ? patch(from[key], to[key]) : to[key];
    if (change !== undefined) changes.push([key, change]);
  }
  return changes.length === 0 ? undefined : Object.fromEntries(changes);
}

function makeModule(name) {
  const folder = `node_modules/@formatjs/${PACKAGES[name]}/locale-data`;
  const data = new Map();
  for (const file of readdirSync(folder).sort()) {
    const tag = FILE.exec(file)?.[1];
    if (tag === undefined) continue;
    const plain = asV8(read(name, `${folder}/${file}`));
    data.set(tag, name === "DateTimeFormat" ? compact(plain) : plain);
  }
  const texts = [write(data.get("en"))];
  const lines = [`"en": [null, texts[0]]`];
  for (const [tag, own] of data) {
    if (tag === "en") continue;
    const parents = tag === "en-001" ? ["en"] : ["en", "en-001"];
    const [[text, parent]] = parents
      .map((other) => [write(patch(data.get(other), own) ?? {}), other])
      .sort(([a], [b]) => a.length - b.length);
    if (!texts.includes(text)) texts.push(text);
    lines.push(`${JSON.stringify(tag)}: [${JSON.stringify(parent)}, texts[${texts.indexOf(text)}]]`);
  }
  const list = texts.map((text) => JSON.stringify(text)).join(",\n");
  writeFileSync(`${OUT}/${name}.js`, `const texts = [\n${list}\n];\nexport default {\n${lines.join(",\n")}\n};\n`);
}

mkdirSync(OUT, { recursive: true });
for (const name of Object.keys(PACKAGES)) makeModule(name);
// Last: it says that the package is whole.
writeFileSync(`${OUT}/package.json`, '{"name":"@durabox/locales","type":"module"}\n');
