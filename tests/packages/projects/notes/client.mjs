// Two editors of one note who write at once, and a third who comes later; prints what each has in the end.
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { applyAwarenessUpdate, Awareness, encodeAwarenessUpdate } from "y-protocols/awareness";
import * as sync from "y-protocols/sync";
import * as Y from "yjs";

const url = `ws://127.0.0.1:${process.argv[2]}/shared`;

class Editor {
  constructor() {
    this.doc = new Y.Doc();
    this.awareness = new Awareness(this.doc);
    this.socket = new WebSocket(url);
    this.socket.binaryType = "arraybuffer";
    this.watchers = new Set();
    this.ready = new Promise((resolve) => {
      this.socket.addEventListener("open", () => {
        this.send(0, (out) => sync.writeSyncStep1(out, this.doc));
      });
      this.socket.addEventListener("message", ({ data }) => {
        const message = decoding.createDecoder(new Uint8Array(data));
        if (decoding.readVarUint(message) === 1) {
          applyAwarenessUpdate(this.awareness, decoding.readVarUint8Array(message), "far");
        } else {
          const answer = encoding.createEncoder();
          encoding.writeVarUint(answer, 0);
          const kind = sync.readSyncMessage(message, answer, this.doc, "far");
          if (encoding.length(answer) > 1) this.socket.send(encoding.toUint8Array(answer));
          if (kind === sync.messageYjsSyncStep2) resolve();
        }
        for (const watcher of this.watchers) watcher();
      });
    });
    this.doc.on("update", (update, origin) => {
      if (origin !== "far") this.send(0, (out) => sync.writeUpdate(out, update));
    });
  }

  send(kind, write) {
    const out = encoding.createEncoder();
    encoding.writeVarUint(out, kind);
    write(out);
    this.socket.send(encoding.toUint8Array(out));
  }

  present(state) {
    this.awareness.setLocalState(state);
    this.send(1, (out) => encoding.writeVarUint8Array(out, encodeAwarenessUpdate(this.awareness, [this.doc.clientID])));
  }

  get text() {
    return this.doc.getText("body");
  }

  until(condition) {
    return new Promise((resolve) => {
      const check = () => {
        if (!condition()) return;
        this.watchers.delete(check);
        resolve();
      };
      this.watchers.add(check);
      check();
    });
  }

  leave() {
    this.awareness.destroy();
    this.socket.close();
  }
}

const ann = new Editor();
const bob = new Editor();
await Promise.all([ann.ready, bob.ready]);
const before = ann.text.toString();
ann.text.insert(0, "Hello ");
bob.text.insert(0, "World ");
ann.doc.getMap("meta").set("title", "Greetings");
const both = before.length + 12;
await Promise.all([ann.until(() => ann.text.length === both), bob.until(() => bob.text.length === both)]);
await bob.until(() => bob.doc.getMap("meta").get("title") === "Greetings");
ann.present({ name: "Ann", cursor: 3 });
await bob.until(() => bob.awareness.getStates().get(ann.doc.clientID)?.cursor === 3);
bob.text.delete(0, 1);
await ann.until(() => ann.text.length === both - 1);
const late = new Editor();
await late.ready;
console.log(JSON.stringify({ before, texts: [ann, bob, late].map((editor) => editor.text.toString()), title: late.doc.getMap("meta").get("title") }));
for (const editor of [ann, bob, late]) editor.leave();
