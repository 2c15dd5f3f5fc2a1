// Carries out rewritings that are described in JSON, and tells all that its handlers see; for workerd and durabox.

/** Carry out a handler's steps on its token, noting what they give. */
async function act(token, steps, note) {
  for (const [kind, name, ...rest] of steps) {
    if (kind === "get") note([name, token[name]]);
    else if (kind === "set") token[name] = rest[0];
    else if (kind === "attributes") note(["attributes", [...token.attributes]]);
    else if (kind === "wait") await new Promise((resolve) => setTimeout(resolve, 1));
    else if (kind === "throw") throw new RangeError(name);
    else if (kind === "end") token.onEndTag(handler("end tag", name, note));
    else if (kind === "try end") {
      try {
        token.onEndTag(handler("end tag", name, note));
      } catch (error) {
        note(["onEndTag", `${error}`]);
      }
    } else if (kind === "stream") token[name](streamOf(rest[0]), ...rest.slice(1));
    else if (kind === "response") token[name](new Response(rest[0]), ...rest.slice(1));
    else if (kind === "try") {
      try {
        const result = token[name](...rest);
        note([name, result === token ? "itself" : result]);
      } catch (error) {
        note([name, `${error}`]);
      }
    } else if (kind === "try set") {
      try {
        token[name] = rest[0];
      } catch (error) {
        note([name, `${error}`]);
      }
    } else token[kind](...[name, ...rest].filter((value) => value !== undefined));
  }
}

function streamOf(pieces) {
  return new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(new TextEncoder().encode(piece));
      controller.close();
    },
  });
}

const SHOWN = {
  element: (token) => [token.tagName, token.namespaceURI, token.removed, [...token.attributes]],
  comments: (token) => [token.text, token.removed],
  doctype: (token) => [token.name, token.publicId, token.systemId],
  "end tag": (token) => [token.name],
  end: () => [],
};

let texts;

function handler(kind, steps, note) {
  return (token) => {
    if (kind === "text") {
      // Where a text is cut is for the network to say.
      texts.set(note, (texts.get(note) ?? "") + token.text);
      if (!token.lastInTextNode) return steps.every(([kind]) => kind === "remove") ? act(token, steps, () => {}) : undefined;
      note(["text", texts.get(note)]);
      texts.delete(note);
    } else note([kind, ...SHOWN[kind](token)]);
    return act(token, steps, note);
  };
}

function handlersOf(description, label, log) {
  const note = (entry) => log.push([label, ...entry]);
  return Object.fromEntries(Object.entries(description).map(([kind, steps]) => [kind, handler(kind, steps, note)]));
}

const bytesOf = (text) => Uint8Array.from(text, (character) => character.charCodeAt(0));

/** Input and output are strings of a character for each byte. */
async function rewrite({ pieces, type, on = [], document = [] }) {
  const log = [];
  texts = new Map();
  try {
    const rewriter = new HTMLRewriter();
    for (const [selector, description] of on) rewriter.on(selector, handlersOf(description, selector, log));
    document.forEach((description, index) => rewriter.onDocument(handlersOf(description, index, log)));
    const body = new ReadableStream({
      async start(controller) {
        for (const piece of pieces) {
          if (piece !== "") controller.enqueue(bytesOf(piece));
        }
        controller.close();
      },
    });
    const headers = type === undefined ? {} : { "content-type": type };
    const output = new Uint8Array(await rewriter.transform(new Response(body, { headers })).arrayBuffer());
    let text = "";
    for (const byte of output) text += String.fromCharCode(byte);
    return { log, output: text };
  } catch (error) {
    return { log, error: `${error}` };
  }
}

export default {
  async fetch(request) {
    const results = [];
    for (const description of await request.json()) results.push(await rewrite(description));
    return Response.json(results);
  },
};
