// What members of rooms see, one line of JSON each: [who, what].
import PartySocket from "partysocket";

const host = `127.0.0.1:${process.argv[2]}`;
const seen = [];

function join(who, options) {
  const socket = new PartySocket({ host, maxRetries: 0, id: who, ...options });
  socket.binaryType = "arraybuffer";
  const waiting = [];
  const arrived = [];
  const take = (what) => {
    seen.push([who, what]);
    const next = waiting.shift();
    if (next) next(what);
    else arrived.push(what);
  };
  socket.addEventListener("message", ({ data }) => take(typeof data === "string" ? data : [...new Uint8Array(data)]));
  socket.addEventListener("close", ({ code, reason }) => take(`closed ${code} ${reason}`));
  return { socket, next: () => (arrived.length ? arrived.shift() : new Promise((resolve) => waiting.push(resolve))) };
}

const ann = join("ann-1", { party: "chat", room: "blue", query: { nick: "Ann", role: "staff" } });
await ann.next();
const bob = join("bob-1", { party: "chat", room: "blue", query: { nick: "Bob" } });
await Promise.all([ann.next(), bob.next()]);
const eve = join("eve-1", { party: "chat", room: "red", query: { nick: "Eve", role: "staff" } });
await eve.next();
bob.socket.send("hello");
await Promise.all([ann.next(), bob.next()]);
bob.socket.send(new Uint8Array([1, 2, 255]));
await Promise.all([ann.next(), bob.next()]);
bob.socket.send("staff?");
await bob.next();
await PartySocket.fetch({ host, party: "chat", room: "blue" }, { method: "POST", body: "news" });
await Promise.all([ann.next(), bob.next()]);
const shouted = await fetch(`http://${host}/shout?room=blue`, { method: "POST", body: "quiet" });
seen.push(["shout", await shouted.json()]);
await Promise.all([ann.next(), bob.next()]);
seen.push(["blue", await (await PartySocket.fetch({ host, party: "chat", room: "blue" })).json()]);
bob.socket.close(4002, "bye");
await Promise.all([ann.next(), bob.next()]);
ann.socket.close();
await ann.next();
eve.socket.send("leave");
await eve.next();
console.log(JSON.stringify(seen));

const first = join("one", { party: "lobby", room: "main" });
first.socket.send("early");
await first.next();
const second = join("two", { party: "lobby", room: "main" });
console.log(JSON.stringify(await second.next()));
first.socket.close();
second.socket.close();
const refused = await PartySocket.fetch({ host, party: "nothing", room: "x" });
console.log(JSON.stringify(refused.status));
