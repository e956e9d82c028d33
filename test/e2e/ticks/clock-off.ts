// Loaded before a service whose clock is to be wrong, by CLOCK_OFF_MS milliseconds.
const offMs = Number(process.env["CLOCK_OFF_MS"]);
const now = Date.now.bind(Date);
Date.now = () => now() + offMs;
globalThis.Date = new Proxy(Date, {
  construct: (date, given: unknown[], target) => Reflect.construct(date, given.length === 0 ? [Date.now()] : given, target) as Date,
  apply: () => new Date().toString(),
});
if (process.env["CLOCK"] === "own") await import("./own-time.ts");
