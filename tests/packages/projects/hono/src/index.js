import { Hono } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { cors } from "hono/cors";
import { HTTPException } from "hono/http-exception";
import { poweredBy } from "hono/powered-by";
import { requestId } from "hono/request-id";
import { secureHeaders } from "hono/secure-headers";
import { stream, streamSSE, streamText } from "hono/streaming";
import { timing } from "hono/timing";
import { validator } from "hono/validator";

export { Cart } from "./cart.js";

const app = new Hono();

app.use(poweredBy(), timing(), secureHeaders(), requestId());
app.use("/api/*", cors({ origin: ["https://shop.example"], allowMethods: ["GET", "PUT"], credentials: true }));

app.get("/", (c) => c.text(`${c.env.GREETING}!`));
app.get("/id", (c) => c.text(c.get("requestId")));

// Who has no session gets one; the cart is the session's.
app.use("/cart/*", async (c, next) => {
  let session = getCookie(c, "session");
  if (session === undefined) {
    session = crypto.randomUUID();
    setCookie(c, "session", session, { httpOnly: true, sameSite: "Lax", path: "/", maxAge: 3600 });
  }
  c.set("cart", c.env.CARTS.getByName(session));
  await next();
});
app.put(
  "/cart/:item{[a-z]+}",
  validator("json", (value, c) => (Number.isInteger(value.count) ? value : c.json({ error: "count must be whole" }, 422))),
  async (c) => c.json(await c.get("cart").put(c.req.param("item"), c.req.valid("json").count)),
);
app.all("/cart/direct/*", async (c) => {
  const answer = await c.get("cart").fetch(c.req.raw);
  // Middleware adds headers, and those of an answer from elsewhere are fixed.
  return new Response(answer.body, answer);
});
app.get("/cart/all", async (c) => c.json(await c.get("cart").all()));
app.post("/cart/leave", (c) => c.text(`bye ${deleteCookie(c, "session", { path: "/" }).length}`));

app.get("/stream/bytes", (c) =>
  stream(c, async (out) => {
    for (let part = 0; part < 3; part++) await out.write(new Uint8Array([part]));
    await out.pipe(new Response("end").body);
  }),
);
app.get("/stream/text", (c) =>
  streamText(c, async (out) => {
    for (const word of ["one", "two"]) {
      await out.writeln(word);
      await out.sleep(1);
    }
  }),
);
app.get("/stream/events", (c) =>
  streamSSE(c, async (out) => {
    for (let id = 0; id < 2; id++) await out.writeSSE({ data: `line\nof ${id}`, event: "tick", id: String(id) });
  }),
);
app.get("/stream/broken", (c) =>
  stream(
    c,
    async () => {
      throw new Error("no more");
    },
    async (error, out) => out.write(new TextEncoder().encode(`failed: ${error.message}`)),
  ),
);

app.post("/form", async (c) => {
  const { name, file } = await c.req.parseBody();
  return c.json({ name, file: [file.name, file.type, await file.text()] });
});

const admin = new Hono().basePath("/admin");
admin.use(async (c, next) => {
  if (c.req.header("authorization") !== "Bearer key") throw new HTTPException(401, { message: "not you" });
  await next();
});
admin.get("/*", (c) => c.html(`<h1>${c.req.query("title") ?? "none"}</h1>`));
app.route("/", admin);

app.get("/throw", () => {
  throw new TypeError("oh no");
});
app.notFound((c) => c.json({ missing: c.req.path }, 404));
app.onError((error, c) => (error instanceof HTTPException ? error.getResponse() : c.text(`${error.name}: ${error.message}`, 500)));

export default app;
