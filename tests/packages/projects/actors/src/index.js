import { Actor, getActor, handler } from "@cloudflare/actors";

/** A device: its name comes from the path, its readings are in tables. */
export class Thermostat extends Actor {
  static nameFromRequest(request) {
    return new URL(request.url).pathname.split("/")[1];
  }

  static configuration() {
    return { locationHint: "weur", sockets: { upgradePath: "/ws" } };
  }

  constructor(ctx, env) {
    super(ctx, env);
    this.storage.migrations = [
      { idMonotonicInc: 1, description: "readings", sql: "CREATE TABLE readings (at INTEGER PRIMARY KEY, degrees REAL NOT NULL)" },
      { idMonotonicInc: 2, description: "who read", sql: "ALTER TABLE readings ADD COLUMN by TEXT" },
    ];
  }

  async onInit() {
    await this.storage.runMigrations();
  }

  read(degrees) {
    this.sql`INSERT INTO readings (degrees, by) VALUES (${degrees}, ${this.name})`;
    return this.sql`SELECT count(*) AS readings, max(degrees) AS warmest, by FROM readings`[0];
  }

  async schedule(word) {
    await this.alarms.schedule(new Date(Date.now() + 1100), "rang", [word]);
    return (await this.alarms.getSchedules()).map(({ callback, type }) => [callback, type]);
  }

  rang(word) {
    this.sql`INSERT INTO readings (degrees, by) VALUES (${0}, ${word})`;
  }

  async onRequest(request) {
    const [, name, action, value] = new URL(request.url).pathname.split("/");
    if (action === "read") return Response.json(this.read(Number(value)));
    if (action === "ring") return Response.json(await this.schedule(value));
    if (action === "rang") return Response.json(this.sql`SELECT by FROM readings WHERE by = ${value}`);
    if (action === "ask") return Response.json(await getActor(Thermostat, value).read(1));
    return Response.json({ name, same: this.name === name });
  }
}

export default handler(Thermostat);
