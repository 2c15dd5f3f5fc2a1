import { DurableObject } from "cloudflare:workers";

/** Accounts of one bank. Money moves inside transactions, so that it is never half moved. */
export class Bank extends DurableObject {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (request.method === "GET" && pathname === "/") {
      return Response.json(Object.fromEntries(await this.ctx.storage.list()));
    }
    if (request.method !== "POST") {
      return new Response(null, { status: 405 });
    }
    const order = await request.json();
    switch (pathname) {
      case "/deposit":
        return Response.json(await this.deposit(order));
      case "/transfer":
        return this.transfer(order);
      default:
        return new Response("Try /deposit or /transfer.\n", { status: 404 });
    }
  }

  async deposit({ account, amount }) {
    const balance = ((await this.ctx.storage.get(account)) ?? 0) + amount;
    await this.ctx.storage.put(account, balance);
    return { [account]: balance };
  }

  async transfer({ from, to, amount }) {
    const moved = await this.ctx.storage.transaction(async (txn) => {
      const balances = await txn.get([from, to]);
      const left = (balances.get(from) ?? 0) - amount;
      // The money arrives first; if it turns out not to be there, nothing has happened.
      await txn.put(to, (balances.get(to) ?? 0) + amount);
      if (left < 0) {
        txn.rollback();
        return false;
      }
      await txn.put(from, left);
      return true;
    });
    if (!moved) {
      return Response.json({ error: `${from} has less than ${amount}` }, { status: 409 });
    }
    return Response.json(Object.fromEntries(await this.ctx.storage.get([from, to])));
  }
}

export default {
  fetch(request, env) {
    return env.BANK.getByName("main").fetch(request);
  },
};
