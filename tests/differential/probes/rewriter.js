// HTMLRewriter: what it takes and refuses, handlers and their tokens, encodings, limits. Served by durabox and by workerd.
import { AsyncLocalStorage } from "node:async_hooks";

const attempt = async (run) => { try { return (await run()) ?? null; } catch (error) { return `!${error}`; } };
const bytes = async (response) => new Uint8Array(await response.arrayBuffer());
const rewritten = (html, handlers, type = "text/html") => new HTMLRewriter().on("a", handlers).transform(new Response(html, { headers: { "content-type": type } })).text();
/** A document of `count` pieces of 100 kB, between a beginning and an end. */
const pieces = (beginning, count, end) => { const list = [beginning, ...Array.from({ length: count }, () => "y".repeat(100_000)), end].filter((piece) => piece !== ""); return new ReadableStream({ pull(controller) { const next = list.shift(); if (next === undefined) controller.close(); else controller.enqueue(new TextEncoder().encode(next)); } }); };

const cases = {
  "prototypes": async () => {
    const out = {};
    // Accessors are properties of the token itself on workerd.
    const grab = (name) => (token) => {
      const prototype = Object.getPrototypeOf(token);
      const members = [...Object.getOwnPropertyNames(token), ...Object.getOwnPropertyNames(prototype)].sort();
      out[name] = [prototype.constructor.name, Object.prototype.toString.call(token), members, Object.getPrototypeOf(prototype) === Object.prototype];
      if (name !== "element") return;
      token.onEndTag(grab("end tag"));
      grab("attributes")(token.attributes);
      try { new token.constructor(); } catch (error) { out.constructor = `${error}`; }
    };
    await new HTMLRewriter().on("a", { element: grab("element"), text: grab("text"), comments: grab("comment") }).onDocument({ doctype: grab("doctype"), end: grab("end") }).transform(new Response("<!doctype html><a x=1>t<!--c--></a>")).text();
    return out;
  },
  "without new": async () => { return HTMLRewriter() },
  "on nothing": async () => { return new HTMLRewriter().on() },
  "on without handlers": async () => { return new HTMLRewriter().on("a") },
  "on null": async () => { return new HTMLRewriter().on("a",null) },
  "on string": async () => { return new HTMLRewriter().on("a","b") },
  "handler of another type": async () => { return new HTMLRewriter().on("a",{element:1}) },
  "handler null": async () => { return String(new HTMLRewriter().on("a",{element:null})) },
  "handler undefined": async () => { return String(new HTMLRewriter().on("a",{element:undefined})) },
  "selector is a number": async () => { return String(new HTMLRewriter().on(1,{})) },
  "handlers are a function": async () => { return String(new HTMLRewriter().on("a",()=>{})) },
  "onDocument nothing": async () => { return new HTMLRewriter().onDocument() },
  "onDocument of another type": async () => { return new HTMLRewriter().onDocument({end:1}) },
  "chaining": async () => { const r=new HTMLRewriter(); return [r.on("a",{})===r, r.onDocument({})===r] },
  "transform nothing": async () => { return new HTMLRewriter().transform() },
  "transform string": async () => { return new HTMLRewriter().transform("a") },
  "transform without body": async () => { const r=new Response(null,{status:204,headers:{a:"b"}}); const s=new HTMLRewriter().transform(r); return [s===r, s.status] },
  "transform used": async () => { const r=new Response("a"); await r.text(); return String(new HTMLRewriter().transform(r)) },
  "transform locked": async () => { const r=new Response("a"); r.body.getReader(); return String(new HTMLRewriter().transform(r)) },
  "head of the response": async () => { const r=new Response("a",{status:201,statusText:"x",headers:{a:"b","content-length":"1","content-type":"text/html"}}); const s=new HTMLRewriter().transform(r); return [s===r, s.status, s.statusText, [...s.headers], r.bodyUsed, s.url, s.redirected, await s.text()] },
  "empty document": async () => { const log=[]; const s=new HTMLRewriter().onDocument({end(e){log.push("end"); e.append("<x>",{html:true}); e.append("<y>")}}).transform(new Response("")); return [await s.text(), log] },
  "this of handlers": async () => { let out=[]; class H{ constructor(){this.z=5} element(){ out.push(this.z===5, this===undefined) } } await new HTMLRewriter().on("a",new H()).transform(new Response("<a>")).text(); return out },
  "element after its handler": async () => { let k; await new HTMLRewriter().on("a",{element(e){k=e}}).transform(new Response("<a>")).text(); return k.tagName },
  "text after its handler": async () => { let k; await new HTMLRewriter().on("a",{text(e){k=e}}).transform(new Response("<a>x")).text(); return k.remove() },
  "attributes after their handler": async () => { let k; await new HTMLRewriter().on("a",{element(e){k=e.attributes}}).transform(new Response("<a b=c>x")).text(); return k.next() },
  "handler throws": async () => { return await new HTMLRewriter().on("a",{element(e){ throw new RangeError("boo") }}).transform(new Response("x<a>x")).text() },
  "handler throws a number": async () => { return await new HTMLRewriter().on("a",{element(e){ throw 5 }}).transform(new Response("x<a>x")).text() },
  "error that a handler throws": async () => { const er=new RangeError("boo"); er.extra=1; try{ await new HTMLRewriter().on("a",{async element(e){ throw er }}).transform(new Response("x<a>x")).text() }catch(e){ return [e===er, e.extra, e.name, e.message] } },
  "what came before an error": async () => { const s= new HTMLRewriter().on("a",{element(e){ throw new RangeError("boo") }}).transform(new Response("x<b>y<a>x")); const r=s.body.getReader(); const out=[]; try{ for(;;){ const {done,value}=await r.read(); if(done)break; out.push(new TextDecoder().decode(value)) } }catch(e){out.push(String(e))} return out },
  "source fails": async () => { const st=new ReadableStream({start(c){c.enqueue(new TextEncoder().encode("<a>x"));},pull(c){c.error(new RangeError("src"))}}); return await new HTMLRewriter().on("a",{element(e){ e.before("q") }}).transform(new Response(st)).text() },
  "streams around an element": async () => { return await new HTMLRewriter().on("a",{element(e){ e.before(new Response("<r>").body); e.after(new Response("<s>"),{html:true}); }}).transform(new Response("<a>x</a>")).text() },
  "replace by a response": async () => { return await new HTMLRewriter().on("a",{element(e){ e.replace(new Response("<r>"),{html:true}); }, text(t){ t.replace(new Response("T")) }}).transform(new Response("<a>x</a>")).text() },
  "stream of content fails": async () => { return await new HTMLRewriter().on("a",{element(e){ e.before(new ReadableStream({start(c){c.error(new RangeError("zz"))}})); }}).transform(new Response("<a>x</a>")).text() },
  "stream of bytes": async () => { return await new HTMLRewriter().on("a",{element(e){ e.setInnerContent(new ReadableStream({start(c){c.enqueue(new TextEncoder().encode("<b>&\""));c.close()}})); }}).transform(new Response("<a>x</a>")).text() },
  "stream of strings": async () => { return await new HTMLRewriter().on("a",{element(e){ e.setInnerContent(new ReadableStream({start(c){c.enqueue("<b>&\"");c.close()}})); }}).transform(new Response("<a>x</a>")).text() },
  "stream in a comment": async () => { return await new HTMLRewriter().on("a",{comments(e){ e.replace(new Response("<r>"),{html:true}); e.before(new Response("1")); e.after(new Response("2")) }}).transform(new Response("<a><!--x--></a>")).text() },
  "stream at the end": async () => { return await new HTMLRewriter().on("a",{element(e){ e.onEndTag(t=>{t.before(new Response("<b>"));t.after(new Response("<b>"),{html:true})})}}).onDocument({end(e){e.append(new Response("<e>"))}}).transform(new Response("<a><!--x--></a>")).text() },
  "response that was read": async () => { const r=new Response("a"); await r.text(); return await new HTMLRewriter().on("a",{element(e){ e.before(r) }}).transform(new Response("<a>x</a>")).text() },
  "response without body": async () => { return await new HTMLRewriter().on("a",{element(e){ e.replace(new Response(null)) }}).transform(new Response("<a>x</a>")).text() },
  "content number": async () => { return await new HTMLRewriter().on("a",{element(e){ e.before(5) }}).transform(new Response("<a>x</a>")).text() },
  "content null": async () => { return await new HTMLRewriter().on("a",{element(e){ e.before(null) }}).transform(new Response("<a>x</a>")).text() },
  "content missing": async () => { return await new HTMLRewriter().on("a",{element(e){ e.before() }}).transform(new Response("<a>x</a>")).text() },
  "content object": async () => { return await new HTMLRewriter().on("a",{element(e){ e.before({}) }}).transform(new Response("<a>x</a>")).text() },
  "options number": async () => { return await new HTMLRewriter().on("a",{element(e){ e.before("<",5) }}).transform(new Response("<a>x</a>")).text() },
  "options null": async () => { return await new HTMLRewriter().on("a",{element(e){ e.before("<",null) }}).transform(new Response("<a>x</a>")).text() },
  "html truthy": async () => { return await new HTMLRewriter().on("a",{element(e){ e.before("<",{html:1}) }}).transform(new Response("<a>x</a>")).text() },
  "getAttribute nothing": async () => { return await new HTMLRewriter().on("a",{element(e){ e.getAttribute() }}).transform(new Response("<a>x</a>")).text() },
  "setAttribute one": async () => { return await new HTMLRewriter().on("a",{element(e){ e.setAttribute("a") }}).transform(new Response("<a>x</a>")).text() },
  "onEndTag number": async () => { return await new HTMLRewriter().on("a",{element(e){ e.onEndTag(5) }}).transform(new Response("<a>x</a>")).text() },
  "onEndTag of a void element": async () => { return await new HTMLRewriter().on("br",{element(e){ e.onEndTag(()=>{}) }}).transform(new Response("<br>x")).text() },
  "lone surrogate": async () => { return await new HTMLRewriter().on("a",{element(e){ e.before("a\ud800b"); e.setAttribute("x","\udc00"); }}).transform(new Response("<a>x")).text() },
  "charset unknown": async () => { return await new HTMLRewriter().transform(new Response("<a>x",{headers:{"content-type":"text/html; charset=nope"}})).text() },
  "charset utf-16": async () => { return await new HTMLRewriter().transform(new Response("<a>x",{headers:{"content-type":"text/html; charset=utf-16le"}})).text() },
  "charset iso-2022-jp": async () => { return await new HTMLRewriter().transform(new Response("<a>x",{headers:{"content-type":"text/html; charset=iso-2022-jp"}})).text() },
  "charset windows-1252": async () => { return await new HTMLRewriter().on("a",{element(e){e.before("é€漢")}}).transform(new Response("<a>x",{headers:{"content-type":"text/html; charset=\"windows-1252\""}})).arrayBuffer().then(b=>String.fromCharCode(...new Uint8Array(b))) },
  "charset x-user-defined": async () => { return await new HTMLRewriter().on("a",{element(e){e.before("é€漢")}}).transform(new Response("<a>x",{headers:{"content-type":"text/html; charset=x-user-defined"}})).arrayBuffer().then(b=>String.fromCharCode(...new Uint8Array(b))) },
  "charset shift_jis": async () => { return await new HTMLRewriter().on("a",{element(e){e.before("é€漢ア")},text(t){ t.before(t.text) }}).transform(new Response(new Uint8Array([60,97,62,0x8a,0xbf,0xb1]),{headers:{"content-type":"text/html; charset=shift_jis"}})).arrayBuffer().then(b=>[...new Uint8Array(b)]) },
  "charset gbk": async () => { return await new HTMLRewriter().on("a",{element(e){e.before("é€漢ア")},text(t){ t.before(t.text) }}).transform(new Response(new Uint8Array([60,97,62,0x8a,0xbf,0xb1]),{headers:{"content-type":"text/html; charset=gbk"}})).arrayBuffer().then(b=>[...new Uint8Array(b)]) },
  "charset empty": async () => { return await new HTMLRewriter().transform(new Response("<a>x",{headers:{"content-type":"text/html; charset="}})).text() },
  "charset in a meta element": async () => { return await new HTMLRewriter().on("a",{text(t){ t.before(t.text+"é") }}).transform(new Response(new Uint8Array([...new TextEncoder().encode("<meta charset=windows-1252><a>"),0xe9]),{headers:{"content-type":"text/html"}})).arrayBuffer().then(b=>[...new Uint8Array(b)].slice(27)) },
  "malformed utf-8": async () => { return await new HTMLRewriter().on("a",{text(t){ t.before("["+t.text+"]") }}).transform(new Response(new Uint8Array([60,97,62,0xff,0x41,0xe2,0x82]))).arrayBuffer().then(b=>[...new Uint8Array(b)]) },
  "xmp in select": async () => { return (await new HTMLRewriter().on("zz",{element(){}}).transform(new Response("<select><xmp><script>x</script></select>")).text()) },
  "xmp in select, no handlers": async () => { return (await new HTMLRewriter().transform(new Response("<select><xmp><script>x</script></select>")).text()) },
  "order of handlers": async () => { const log=[]; const h=(n)=>({element(){log.push(n+"e")},text(t){log.push(n+"t"+t.text+t.lastInTextNode)},comments(){log.push(n+"c")}}); await new HTMLRewriter().on("b",h(1)).onDocument({text(t){log.push("dt")},comments(){log.push("dc")}}).on("a",h(2)).on("a b",h(3)).on("*",h(4)).transform(new Response("<a>x<b>y<!--z--></b>w</a>")).text(); return log.join(" ") },
  "two selectors match": async () => { const log=[]; await new HTMLRewriter().on("a,a.x",{element(){log.push(1)}}).on("a",{element(){log.push(2)}}).transform(new Response("<a class=x>")).text(); return log },
  "two documents": async () => { const r=new HTMLRewriter().on("a",{element(e){e.before("q")}}); return [await r.transform(new Response("<a>")).text(), await r.transform(new Response("<a>")).text()] },
  "two rewriters": async () => { return await new HTMLRewriter().on("a",{element(e){e.before("q")}}).transform(new HTMLRewriter().on("b",{element(e){e.before("<a>",{html:true})}}).transform(new Response("<b>"))).text() },
  "within what is removed": async () => { const log=[]; const o=await new HTMLRewriter().on("a",{element(e){e.remove(); log.push(e.removed)},text(t){log.push("t"+t.text+t.removed)},comments(c){log.push("c"+c.removed)}}).on("a b",{element(e){log.push("b"+e.removed); e.before("BB"); e.onEndTag(t=>{log.push("/b"); t.before("TT")})}}).transform(new Response("1<a>2<b>3</b><!--x--></a>4")).text(); return [o,log] },
  "text of a comment": async () => { const log=[]; for(const t of ["-->","--!>",">","->","a--","","<!--","--"]) { try{ log.push(await new HTMLRewriter().onDocument({comments(c){c.text=t}}).transform(new Response("<!--a-->")).text()) }catch(e){log.push(String(e))} } return log },
  "names of tags": async () => { const log=[]; for(const t of ["","1","a b","é","aé","A","a>","a/","a<","a\u0000b","a\"", "-"]) { try{ log.push(await new HTMLRewriter().on("a",{element(c){c.tagName=t; log.push(c.tagName)}}).transform(new Response("<a>x</a>")).text()) }catch(e){log.push(String(e))} } return log },
  "names of end tags": async () => { const log=[]; for(const t of ["","1","a b","A","a>"]) { try{ log.push(await new HTMLRewriter().on("a",{element(c){c.onEndTag(e=>{e.name=t; log.push(e.name)})}}).transform(new Response("<a>x</a>")).text()) }catch(e){log.push(String(e))} } return log },
  "names of attributes": async () => { const log=[]; for(const t of ["","a b","é","A","a>","a/","a=","a'","a\"","<"]) { try{ log.push(await new HTMLRewriter().on("a",{element(c){c.setAttribute(t,"v\"<>&'"); log.push(String(c.getAttribute(t)), c.hasAttribute(t))}}).transform(new Response("<a>x</a>")).text()) }catch(e){log.push(String(e))} } return log },
  "change while iterating": async () => { return await new HTMLRewriter().on("a",{element(e){ for(const [k,v] of e.attributes){ e.removeAttribute(k); e.setAttribute("z"+k,v);break} }}).transform(new Response("<a b=1 c=2 d=3>x")).text() },
  "asynchronous handler": async () => { return await new HTMLRewriter().on("a",{async element(e){ await new Promise(r=>setTimeout(r,5)); e.before("q"); await null; e.setAttribute("z","1") }}).transform(new Response("<a b=1>x")).text() },
  "handler returns a thenable": async () => { return await new HTMLRewriter().on("a",{element(e){ return {then(r){ r(); e.before("q") }} }}).transform(new Response("<a b=1>x")).text() },
  "nobody reads": async () => { const log=[]; const s=new HTMLRewriter().on("a",{element(e){ log.push(1) }}).transform(new Response("<a><a>")); await new Promise(r=>setTimeout(r,20)); log.push("read"); await s.text(); return log },
  "clone": async () => { const s=new HTMLRewriter().on("a",{element(e){ e.before("q") }}).transform(new Response("<a>")); const c=s.clone(); return [await s.text(), await c.text()] },
  "cancel": async () => { const s=new HTMLRewriter().on("a",{element(e){ e.before("q") }}).transform(new Response("<a>")); await s.body.cancel("r"); return "ok" },
  "implied end tags": async () => { const log=[]; const o=await new HTMLRewriter().on("p",{element(e){ e.append("A"); e.after("B"); e.onEndTag(()=>log.push("end")) }}).transform(new Response("<div><p>1<p>2</div>")).text(); return [o,log] },
  "several onEndTag": async () => { const log=[]; const o=await new HTMLRewriter().on("p",{element(e){ e.onEndTag(()=>log.push("end1"));  e.onEndTag(()=>log.push("end2")) }}).on("p",{element(e){ e.onEndTag((t)=>{log.push("end3"); t.remove()}) }}).transform(new Response("<p>1</p>")).text(); return [o,log] },
  "tagName number": async () => { const log=[]; try { await new HTMLRewriter().on("p",{element(e){ e.tagName=5; log.push(e.tagName) }}).transform(new Response("<p>1</p>")).text() } catch(e){ log.push(String(e)) } return log },
  "doctypes": async () => { const log=[]; for (const d of ["<!doctype>","<!DOCTYPE HTML>","<!doctype html public 'a' \"b\">","<!doctype html system 'c'>","<!doctype html x>","<!DocType  html PUBLIC \"-//W3C//DTD\">"]) await new HTMLRewriter().onDocument({doctype(t){log.push([t.name,t.publicId,t.systemId])}}).transform(new Response(d)).text(); return log },
  "source of a failed one": async () => { const log=[]; const st=new ReadableStream({pull(c){c.enqueue(new TextEncoder().encode("<a>x"))},cancel(r){log.push("cancelled "+r)}}); const s=new HTMLRewriter().on("a",{element(e){ throw new Error("h") }}).transform(new Response(st)); try{await s.text()}catch(e){log.push(String(e))} await new Promise(r=>setTimeout(r,5)); return log.sort() },
  "headers change": async () => { const s=new HTMLRewriter().transform(new Response("a")); s.headers.set("x","y"); return [...s.headers] },
  "type of the result": async () => { return [...new HTMLRewriter().transform(new Response("a")).headers] },
  "handlers after one that throws": async () => { const log=[]; try{ await new HTMLRewriter().on("a",{element(e){ log.push(1); throw new Error("1") }}).on("a",{element(){log.push(2)}}).transform(new Response("<a>")).text()}catch(e){log.push(String(e))} return log },
  "interface": () => [Object.getOwnPropertyNames(HTMLRewriter.prototype).sort(), typeof HTMLRewriter, HTMLRewriter.length, typeof globalThis.Element],
  "illegal invocation": () => Reflect.apply(HTMLRewriter.prototype.on, {}, ["a", {}]),
  "charset windows-1251": async () => [...await bytes(new HTMLRewriter().on("a", { element(e) { e.setInnerContent("Жё€漢"); e.setAttribute("д", "Ж漢"); } }).transform(new Response(Uint8Array.of(60, 97, 62, 0xc6), { headers: { "content-type": "text/html;charset=WINDOWS-1251" } })))],
  "charset windows-1251 selector": async () => { const log = []; await new HTMLRewriter().on("[x=Ж]", { element(e) { log.push(e.getAttribute("x"), [...e.attributes]); } }).transform(new Response(Uint8Array.of(60, 97, 32, 120, 61, 0xc6, 62), { headers: { "content-type": "text/html;charset=windows-1251" } })).text(); return log; },
  "charset tag name it has not": () => rewritten("<a>", { element(e) { e.tagName = "a漢"; } }, "text/html;charset=windows-1251"),
  "charset attribute name it has not": () => rewritten("<a>", { element(e) { e.setAttribute("漢", "1"); } }, "text/html;charset=windows-1251"),
  "charset big5": async () => [...await bytes(new HTMLRewriter().on("a", { element(e) { e.before("é€漢ア"); } }).transform(new Response("<a>", { headers: { "content-type": "text/html; charset=big5" } })))],
  "charset euc-jp": async () => [...await bytes(new HTMLRewriter().on("a", { element(e) { e.before("é€漢ア¥"); } }).transform(new Response("<a>", { headers: { "content-type": "text/html; charset=euc-jp" } })))],
  "charset euc-kr": async () => [...await bytes(new HTMLRewriter().on("a", { element(e) { e.before("é€漢ア한"); } }).transform(new Response("<a>", { headers: { "content-type": "text/html; charset=euc-kr" } })))],
  "charset gb18030": async () => [...await bytes(new HTMLRewriter().on("a", { element(e) { e.before("é€漢ア한"); } }).transform(new Response("<a>", { headers: { "content-type": "text/html; charset=gb18030" } })))],
  "charset of several": () => rewritten("<a>", { element(e) { e.before("é"); } }, "text/html; x=y; charset=utf-8; charset=windows-1252"),
  "text keeps what it is": () => rewritten("<a>&amp;&lt;x</a>", { text(t) { if (t.text !== "") t.replace(t.text, { html: true }); } }),
  "deep": async () => (await new HTMLRewriter().on("zz", { element() {} }).transform(new Response("<a>".repeat(16384))).text()).length,
  "too deep": async () => (await new HTMLRewriter().on("zz", { element() {} }).transform(new Response("<a>".repeat(16385))).text()).length,
  "tag of megabytes": async () => (await new HTMLRewriter().on("b", { element() {} }).transform(new Response(pieces("<a x='", 40, "'>"))).text()).length,
  "wanted tag of megabytes": async () => (await new HTMLRewriter().on("a", { element() {} }).transform(new Response(pieces("<a x='", 40, "'>"))).text()).length,
  "comment of megabytes": async () => (await new HTMLRewriter().on("a", { element() {} }).transform(new Response(pieces("<!--", 40, "-->"))).text()).length,
  "wanted comment of megabytes": async () => (await new HTMLRewriter().onDocument({ comments() {} }).transform(new Response(pieces("<!--", 40, "-->"))).text()).length,
  "text of megabytes": async () => { let n = 0; await new HTMLRewriter().onDocument({ text(t) { n += t.text.length; } }).transform(new Response(pieces("", 40, ""))).text(); return n; },
  "esi": async () => { const log = []; const text = await new HTMLRewriter().on("*", { element(e) { log.push(e.tagName); e.append("A"); } }).transform(new Response("<esi:include src=a/>b<esi:comment/>")).text(); return [text, log]; },
  "context of handlers": async () => { const seen = []; const als = new AsyncLocalStorage(); const rewriter = als.run("on", () => new HTMLRewriter().on("a", { element() { seen.push(als.getStore()); } })); await als.run("transform", () => rewriter.transform(new Response("<a>"))).text(); return seen; },
};

export default {
  async fetch() {
    const answers = {};
    for (const [name, run] of Object.entries(cases)) answers[name] = await attempt(run);
    return Response.json(answers);
  },
};
