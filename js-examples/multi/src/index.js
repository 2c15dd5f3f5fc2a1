export { Cart } from "./cart.js";
export { Stock } from "./stock.js";

const objectOf = (env, kind, name) => {
  const namespace = { carts: env.CARTS, stock: env.STOCK }[kind];
  return namespace && name ? namespace.getByName(name) : undefined;
};

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const [, kind, name, ...rest] = url.pathname.split("/");
    const object = objectOf(env, kind, name);
    if (!object) {
      return new Response("Try /carts/<name> or /stock/<item>.\n", { status: 404 });
    }
    url.pathname = `/${rest.join("/")}`;
    return object.fetch(new Request(url, request));
  },
};
