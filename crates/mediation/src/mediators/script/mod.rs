//! `script`: JavaScript over the message, in an engine of its own for every run, so that nothing stays from one message to the next.
//!
//! The engine has no files, no network, no clock and no Java. Its memory, its stack and its number of steps are bounded; a script that
//! passes a bound is a failure of the mediator. The old engines' own dialect (E4X: XML written as code) and Java classes are named as
//! obstacles.

mod foreign;
mod host;

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use rquickjs::context::EvalOptions;
use rquickjs::{Context, Ctx, Function, Object, Runtime, Value as JsValue};

use foreign::{foreign, looks_like_e4x};
use host::{Lent, Shared, host};

use crate::compile::Work;
use crate::expression::Means;
use crate::failure::Failure;
use crate::limits::Limits;
use crate::log::Log;
use crate::message::Message;
use crate::program::Action;
use crate::xml::Element;

/// A script, checked to be one.
pub(crate) struct Script {
    source: Arc<str>,
    /// Function of the script to call with the message; without one the script itself runs.
    function: Option<String>,
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").field("function", &self.function).finish_non_exhaustive()
    }
}

/// Longest script, in bytes.
const MAX_SOURCE: usize = 256 * 1024;
/// Stack of the engine, in bytes; well within a thread's.
const STACK: usize = 192 * 1024;

/// The message as the script sees it. `__…` are given by us and taken away before the script runs.
const PRELUDE: &str = r#"(function (g) {
  var h = g.__host, now = g.__now, seed = g.__seed >>> 0;
  delete g.__host; delete g.__now; delete g.__seed;
  var Real = g.Date;
  function Day() {
    if (!new.target) { return new Real(now).toString(); }
    var a = arguments.length ? Array.prototype.slice.call(arguments) : [now];
    return Reflect.construct(Real, a, new.target === Day ? Real : new.target);
  }
  Day.prototype = Real.prototype; Real.prototype.constructor = Day;
  Day.now = function () { return now; }; Day.parse = Real.parse; Day.UTC = Real.UTC;
  g.Date = Day;
  g.Math.random = function () {
    seed = (seed + 0x6D2B79F5) >>> 0;
    var t = seed; t = Math.imul(t ^ (t >>> 15), t | 1); t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  if (g.performance) { delete g.performance; }
  // Texts came to scripts as Java strings, so scripts call Java's methods on them.
  var own = {
    equals: function (o) { return o !== null && o !== undefined && String(this) === String(o); },
    equalsIgnoreCase: function (o) { return o !== null && o !== undefined && String(this).toLowerCase() === String(o).toLowerCase(); },
    contains: function (o) { return String(this).indexOf(String(o)) >= 0; },
    isEmpty: function () { return String(this).length === 0; },
    compareTo: function (o) { var a = String(this), b = String(o); return a < b ? -1 : a > b ? 1 : 0; },
    matches: function (r) { return new RegExp('^(?:' + r + ')$').test(String(this)); },
    replaceAll: function (r, t) { return String(this).replace(r instanceof RegExp ? r : new RegExp(r, 'g'), t); },
    replaceFirst: function (r, t) { return String(this).replace(r instanceof RegExp ? r : new RegExp(r), t); }
  };
  for (var name in own) { Object.defineProperty(String.prototype, name, { value: own[name], writable: true, configurable: true }); }
  function words(v) { return v === null || v === undefined ? null : String(v); }
  function xml(text) {
    var own = {
      toString: function () { return text; }, toXMLString: function () { return text; }, valueOf: function () { return text; },
      length: function () { return text.length; }
    };
    return new Proxy(own, { get: function (o, k) {
      if (k === Symbol.toPrimitive) { return function () { return text; }; }
      if (k === '__xml') { return true; }
      if (typeof k === 'symbol' || Object.prototype.hasOwnProperty.call(o, k)) { return o[k]; }
      if (k in String.prototype && typeof String.prototype[k] === 'function') { return String.prototype[k].bind(text); }
      throw new Error('E4X (.' + String(k) + ' of XML) is not run here');
    } });
  }
  function decode(v) {
    if (v === null || v === undefined) { return null; }
    var k = v.charAt(0), rest = v.substring(1);
    return k === 'n' ? Number(rest) : k === 'b' ? rest === 'true' : k === 'x' ? xml(rest) : k === 'j' ? JSON.parse(rest) : rest;
  }
  function put(key, value, scope) {
    var kind = 's', text;
    if (value === null || value === undefined) { h.remove(words(key), words(scope) || ''); return; }
    if (typeof value === 'number') { kind = 'n'; text = String(value); }
    else if (typeof value === 'boolean') { kind = 'b'; text = String(value); }
    else if (typeof value === 'object' && value.__xml) { kind = 'x'; text = value.toString(); }
    else if (typeof value === 'object' && !(value instanceof String)) { kind = 'j'; text = JSON.stringify(value); }
    else { text = String(value); }
    h.set(words(key), kind + text, words(scope) || '');
  }
  function address(name) {
    var v = h.address(name);
    if (v === null || v === undefined) { return null; }
    return { getAddress: function () { return v; }, toString: function () { return v; } };
  }
  function say(level) { return function (v) { h.log(level, String(v)); }; }
  function json(v) { return typeof v === 'string' || v instanceof String ? String(v) : JSON.stringify(v); }
  var service = { trace: say(0), debug: say(1), info: say(2), warn: say(3), error: say(4), fatal: say(4),
    isDebugEnabled: function () { return false; },
    isTraceEnabled: function () { return false; }, isInfoEnabled: function () { return true; } };
  var mc = {
    getProperty: function (a, b) { return b === undefined ? decode(h.get(words(a), '')) : decode(h.get(words(a), words(b))); },
    setProperty: put,
    removeProperty: function (key, scope) { h.remove(words(key), words(scope) || ''); },
    getPropertyKeySet: function () { return JSON.parse(h.names()); },
    getPayloadJSON: function () { var t = h.json(); return t === null || t === undefined ? null : JSON.parse(t); },
    getJsonText: function () { var t = h.json(); return t === undefined ? null : t; },
    jsonObject: function () { return this.getPayloadJSON(); },
    setPayloadJSON: function (v) { h.setJson(json(v)); },
    setJsonText: function (c, v) { h.setJson(json(v === undefined ? c : v)); return true; },
    setJsonObject: function (c, v) { h.setJson(json(v === undefined ? c : v)); return true; },
    getPayloadXML: function () { return xml(h.xml()); },
    setPayloadXML: function (v) { h.setXml(String(v)); },
    getEnvelopeXML: function () { return xml(h.envelope()); },
    getPayloadText: function () { return h.text(); },
    addHeader: function (must, content) { h.header(!!must, String(content)); },
    getTo: function () { return address('To'); }, setTo: function (v) { h.setAddress('To', words(v)); },
    getFrom: function () { return address('From'); }, setFrom: function (v) { h.setAddress('From', words(v)); },
    getReplyTo: function () { return address('ReplyTo'); }, setReplyTo: function (v) { h.setAddress('ReplyTo', words(v)); },
    getFaultTo: function () { return address('FaultTo'); }, setFaultTo: function (v) { h.setAddress('FaultTo', words(v)); },
    getWSAAction: function () { var v = h.address('Action'); return v === undefined ? null : v; },
    setWSAAction: function (v) { h.setAddress('Action', words(v)); },
    getSoapAction: function () { var v = h.address('Action'); return v === undefined ? null : v; },
    getMessageID: function () { return h.address('MessageID'); }, setMessageID: function (v) { h.setAddress('MessageID', words(v)); },
    isResponse: function () { return h.isResponse(); }, setResponse: function (v) { h.setResponse(!!v); },
    isFaultResponse: function () { return false; }, setFaultResponse: function () {},
    isDoingPOX: function () { return h.protocol() === 'pox'; }, setDoingPOX: function () {},
    isDoingGET: function () { return false; }, isSOAP11: function () { return h.protocol() === 'soap11'; },
    getServiceLog: function () { return service; }
  };
  g.mc = mc;
  g.print = g.println = say(2);
  g.log = service;
})(globalThis);
"#;

pub(crate) fn compile(work: &mut Work<'_>, element: &Element) -> Option<Action> {
    let language = element.attribute("language").unwrap_or("js").trim().to_ascii_lowercase();
    if !matches!(language.as_str(), "js" | "javascript" | "nashornjs" | "nashorn" | "rhinojs" | "ecmascript") {
        work.obstacle(element, &language, "Only JavaScript runs here.", "Write the script in JavaScript.");
        return None;
    }
    let mut source = String::new();
    for include in element.elements().filter(|e| e.name == "include") {
        let key = work.needed(include, "key")?.trim();
        source.push_str(&entry(work, include, key)?);
        source.push('\n');
    }
    let function = match element.attribute("key").map(str::trim) {
        Some(key) => {
            source.push_str(&entry(work, element, key)?);
            Some(element.attribute("function").unwrap_or("mediate").trim().to_owned())
        }
        None => {
            source.push_str(&element.text());
            None
        }
    };
    if source.len() > MAX_SOURCE {
        work.obstacle(element, "", "The script is too long.", "Divide it.");
        return None;
    }
    if let Some((reason, suggestion)) = foreign(&source) {
        work.obstacle(element, "", &reason, suggestion);
        return None;
    }
    if let Err(what) = check(&source) {
        let why = if looks_like_e4x(&source) {
            format!("The script writes XML as code (E4X), which only the old engine knew: {what}.")
        } else {
            format!("The script is not JavaScript that runs here: {what}.")
        };
        work.obstacle(element, "", &why, "Use JSON and strings: mc.getPayloadJSON(), mc.setPayloadXML('<a>…</a>'); or <payloadFactory>.");
        return None;
    }
    Some(Action::Script(Script { source: Arc::from(source), function }))
}

fn entry(work: &mut Work<'_>, element: &Element, key: &str) -> Option<String> {
    let found = work.library.entry(key).map(|source| source.text.to_string());
    if found.is_none() {
        work.obstacle(element, key, "No entry of this name was found.", "Add the script, or write it into the sequence.");
    }
    found
}

fn engine(bytes: usize, turns: u32) -> Result<(Runtime, Context), rquickjs::Error> {
    let runtime = Runtime::new()?;
    runtime.set_memory_limit(bytes);
    runtime.set_max_stack_size(STACK);
    let mut left = turns;
    runtime.set_interrupt_handler(Some(Box::new(move || {
        left = left.saturating_sub(1);
        left == 0
    })));
    let context = Context::full(&runtime)?;
    Ok((runtime, context))
}

fn sloppy() -> EvalOptions {
    let mut options = EvalOptions::default();
    options.strict = false;
    options
}

fn what(ctx: &Ctx<'_>, error: &rquickjs::Error) -> String {
    if !matches!(error, rquickjs::Error::Exception) {
        return error.to_string();
    }
    let caught = ctx.catch();
    match caught.as_exception() {
        Some(exception) => exception.message().unwrap_or_default(),
        None => caught.as_string().and_then(|s| s.to_string().ok()).unwrap_or_else(|| "an error without words".to_owned()),
    }
}

/// Whether the engine can read the script.
fn check(source: &str) -> Result<(), String> {
    let (_runtime, context) = engine(Limits::default().script_bytes, 50).map_err(|e| e.to_string())?;
    context.with(|ctx| {
        let wrapped = format!("void function () {{{source}\n}}");
        ctx.eval_with_options::<JsValue<'_>, _>(wrapped, sloppy()).map(|_| ()).map_err(|e| what(&ctx, &e))
    })
}

impl Script {
    /// Runs it. `false` when the script says that the sequence is to stop.
    pub(crate) fn run(&self, message: &mut Message, means: &mut Means<'_>, log: &mut Log) -> Result<bool, Failure> {
        // What the script says goes to the log; the client sees the old product's words.
        let wrong = |what: String| Failure { detail: what, ..Failure::new(self.words()) };
        let (runtime, context) = engine(means.limits.script_bytes, means.limits.script_turns).map_err(|e| wrong(e.to_string()))?;
        let lent = Lent {
            message: std::mem::replace(message, Message::request("", "")),
            limits: means.limits.clone(),
            lines: Vec::new(),
            log_bytes: means.limits.log_bytes,
            failure: None,
        };
        let shared: Shared = Rc::new(RefCell::new(lent));
        let done = context.with(|ctx| self.evaluate(&ctx, &shared).map_err(|e| what(&ctx, &e)));
        // The engine holds the other references.
        drop(context);
        drop(runtime);
        let failure = {
            let mut lent = shared.borrow_mut();
            *message = std::mem::replace(&mut lent.message, Message::request("", ""));
            for (level, text) in lent.lines.drain(..) {
                log.add(level, text, message);
            }
            lent.failure.take()
        };
        match (done, failure) {
            (Ok(go_on), _) => Ok(go_on),
            (Err(_), Some(failure)) => Err(failure),
            (Err(what), None) => Err(wrong(what)),
        }
    }

    fn words(&self) -> &'static str {
        match self.function {
            Some(_) => "The script engine returned an error executing external js script",
            None => "The script engine returned an error executing inlined js script function mediate",
        }
    }

    fn evaluate(&self, ctx: &Ctx<'_>, shared: &Shared) -> Result<bool, rquickjs::Error> {
        let globals = ctx.globals();
        let (now, seed) = {
            let lent = shared.borrow();
            let now = lent.message.now.as_millis();
            let seed = lent.message.message_id.bytes().fold(now as u32, |seed, byte| seed.wrapping_mul(31).wrapping_add(u32::from(byte)));
            (now as f64, seed)
        };
        globals.set("__now", now)?;
        globals.set("__seed", seed)?;
        globals.set("__host", host(ctx, shared)?)?;
        ctx.eval_with_options::<(), _>(PRELUDE, sloppy())?;
        let value: JsValue<'_> = ctx.eval_with_options(self.source.as_bytes(), sloppy())?;
        let value = match &self.function {
            Some(function) => {
                let function: Function<'_> = globals.get(function.as_str())?;
                let mc: Object<'_> = globals.get("mc")?;
                function.call((mc,))?
            }
            None => value,
        };
        Ok(value.as_bool().unwrap_or(true))
    }
}
