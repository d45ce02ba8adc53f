//! A stylesheet's document, with all it imports and includes, as what runs. What cannot run is noted with its place.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::{AttributeSet, Avt, Body, DecimalFormat, Global, Key, Part, Rule, Space, SpaceTest, Stylesheet, Template, XSL};
use crate::compile::Work;
use crate::library::Source;
use crate::xml::{self, Element};
use crate::xpath::{MatchPattern, QName, XPath};

/// Most documents of one stylesheet.
const MAX_MODULES: usize = 50;

/// Where the document of an `import` or `include` is found: by what is written, and the key of the document that says it.
pub(crate) type Finder<'f> = &'f dyn Fn(&str, &str) -> Option<(String, Source)>;

/// Reads a stylesheet; `None` after an obstacle was noted.
pub(crate) fn read(work: &mut Work<'_>, by: &Element, key: &str, source: &Source, finder: Finder<'_>) -> Option<Stylesheet> {
    let before = work.obstacles();
    let mut reader = Reader {
        work,
        finder,
        sheet: Stylesheet {
            templates: Vec::new(),
            named: BTreeMap::new(),
            rules: BTreeMap::new(),
            globals: Vec::new(),
            keys: Vec::new(),
            formats: BTreeMap::new(),
            spaces: Vec::new(),
            sets: BTreeMap::new(),
            aliases: BTreeMap::new(),
            makes_text: false,
        },
        next: 0,
        modules: 0,
        open: Vec::new(),
        scope: Vec::new(),
        excluded: Arc::default(),
        named: BTreeMap::new(),
        unproved: Vec::new(),
        lowest: 0,
        precedence: 0,
    };
    reader.document(by, key, source);
    reader.prove();
    let (mut sheet, work) = (reader.sheet, reader.work);
    if work.obstacles() > before {
        return None;
    }
    for rules in sheet.rules.values_mut() {
        // Of two that match alike the later one wins.
        rules.reverse();
        let rank = |rule: &Rule| (sheet.templates.get(rule.template).map_or(0, |t| t.precedence), rule.priority);
        rules.sort_by(|a, b| rank(b).partial_cmp(&rank(a)).unwrap_or(std::cmp::Ordering::Equal));
    }
    sheet.spaces.reverse();
    sheet.spaces.sort_by_key(|space| {
        let exact = match space.test {
            SpaceTest::Any => 0,
            SpaceTest::AnyOf(_) => 1,
            SpaceTest::Name(_) => 2,
        };
        std::cmp::Reverse((space.precedence, exact))
    });
    Some(sheet)
}

pub(super) struct Reader<'r, 'l> {
    pub(super) work: &'r mut Work<'l>,
    finder: Finder<'r>,
    sheet: Stylesheet,
    /// Import precedence of the next module that is read to its end.
    next: u32,
    modules: usize,
    /// Keys of the documents that are being read, the outermost first.
    open: Vec<String>,
    /// Variables in force where the reading is.
    pub(super) scope: Vec<QName>,
    /// Namespaces that do not go into the result.
    pub(super) excluded: Arc<[Arc<str>]>,
    /// Precedence of the templates with names.
    named: BTreeMap<QName, u32>,
    /// Names used before all that can be named was read.
    unproved: Vec<Unproved>,
    lowest: u32,
    precedence: u32,
}

/// A use of a name.
struct Unproved {
    file: Arc<str>,
    element: Element,
    what: Used,
    name: QName,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Used {
    Variable,
    Template,
    AttributeSet,
}

/// A top-level element, and what holds for its document.
struct Top {
    file: Arc<str>,
    excluded: Arc<[Arc<str>]>,
    element: Element,
}

pub(super) fn is_xsl(element: &Element) -> bool {
    element.namespace.as_deref() == Some(XSL)
}

impl Reader<'_, '_> {
    pub(super) fn wrong(&mut self, element: &Element, reason: &str) {
        self.wrong_but(element, reason, "Write it with what XSLT 1.0 has, or transform with <payloadFactory>, <enrich> or <script>.");
    }

    fn wrong_but(&mut self, element: &Element, reason: &str, suggestion: &str) {
        self.work.obstacle(element, "", &format!("The stylesheet cannot run: {reason}."), suggestion);
    }

    /// The outermost document, or one that is imported.
    fn document(&mut self, by: &Element, key: &str, source: &Source) {
        let lowest = self.next;
        let mut tops = Vec::new();
        self.gather(by, key, source, &mut tops);
        (self.lowest, self.precedence) = (lowest, self.next);
        self.next += 1;
        for top in tops {
            self.excluded = top.excluded;
            let outer = self.work.enter(&top.file);
            self.top(&top.element);
            self.work.enter(&outer);
        }
    }

    /// Takes in what stands at the top of a document, that of included ones in their place; imported ones are read at once.
    fn gather(&mut self, by: &Element, key: &str, source: &Source, tops: &mut Vec<Top>) {
        self.modules += 1;
        if self.modules > MAX_MODULES {
            return self.wrong_but(by, "it is made of too many documents", "Put them together.");
        }
        if self.open.iter().any(|open| open == key) {
            return self.wrong_but(by, &format!("'{}' imports itself", xml::shortened(key)), "Take the import out.");
        }
        let root = match xml::read(&source.text) {
            Ok(root) => root,
            Err(fault) => {
                let reason = format!("'{}' is not XML ({fault})", xml::shortened(key));
                return self.wrong_but(by, &reason, "Mend the stylesheet; entities of a document type are written as characters.");
            }
        };
        self.open.push(key.to_owned());
        let outer = self.work.enter(&source.file);
        let excluded: Arc<[Arc<str>]> = excluded(&root).into();
        if is_xsl(&root) && matches!(root.name.as_str(), "stylesheet" | "transform") {
            if root.attribute("version").is_some_and(|version| version.trim() != "1.0") {
                self.work.note(&root, "The stylesheet is run as XSLT 1.0, whatever version it names.");
            }
            for element in root.elements() {
                match element.name.as_str() {
                    "import" | "include" if is_xsl(element) => self.other(element, key, tops),
                    _ => tops.push(Top { file: Arc::clone(&source.file), excluded: Arc::clone(&excluded), element: element.clone() }),
                }
            }
        } else if root.attributes.iter().any(|a| a.namespace.as_deref() == Some(XSL) && a.name == "version") {
            // A result element in the place of the whole stylesheet is the template of the document.
            tops.push(Top { file: Arc::clone(&source.file), excluded, element: root });
        } else {
            self.wrong_but(&root, "it is no stylesheet", "Name a document with an <xsl:stylesheet>.");
        }
        self.work.enter(&outer);
        self.open.pop();
    }

    fn other(&mut self, element: &Element, key: &str, tops: &mut Vec<Top>) {
        let Some(href) = element.attribute("href").map(str::trim) else { return self.wrong(element, "an import needs an href") };
        let Some((found, source)) = (self.finder)(href, key) else {
            let reason = format!("'{}' was not found", xml::shortened(href));
            return self.wrong_but(element, &reason, "Add the stylesheet to the registry, or name it by a <resource> of the mediator.");
        };
        if element.name == "import" { self.document(element, &found, &source) } else { self.gather(element, &found, &source, tops) }
    }

    fn top(&mut self, element: &Element) {
        if !is_xsl(element) {
            let simplified = element.attributes.iter().any(|a| a.namespace.as_deref() == Some(XSL) && a.name == "version");
            if simplified {
                let body = vec![self.literal(element, false)].into_iter().flatten().collect();
                if let Ok(pattern) = MatchPattern::compile("/", &[]) {
                    self.rule(pattern, None, None, body);
                }
            }
            // Data of the author's own is let be.
            return;
        }
        match element.name.as_str() {
            "template" => self.template(element),
            "variable" | "param" => {
                if let Some(variable) = self.variable(element) {
                    let global = Global { variable, is_parameter: element.name == "param", precedence: self.precedence };
                    let there = self.sheet.globals.iter_mut().find(|other| other.variable.name == global.variable.name);
                    match there {
                        Some(there) if there.precedence <= global.precedence => *there = global,
                        Some(_) => {}
                        None => self.sheet.globals.push(global),
                    }
                }
            }
            "key" => self.key(element),
            "output" => {
                if let Some(method) = element.attribute("method") {
                    self.sheet.makes_text = method.trim() == "text";
                }
            }
            "strip-space" | "preserve-space" => self.spaces(element),
            "decimal-format" => self.decimal_format(element),
            "attribute-set" => self.attribute_set(element),
            "namespace-alias" => self.alias(element),
            "import" | "include" => {}
            name => {
                let reason = format!("'{}' is not of XSLT 1.0", xml::shortened(name));
                self.wrong(element, &reason);
            }
        }
    }

    fn template(&mut self, element: &Element) {
        let name = element.attribute("name").and_then(|name| self.qname(element, name));
        let mode = element.attribute("mode").and_then(|mode| self.qname(element, mode));
        let pattern = element.attribute("match").and_then(|text| self.pattern(element, text));
        let priority = element.attribute("priority").map(|text| text.trim().parse::<f64>());
        let priority = match priority.transpose() {
            Ok(priority) => priority,
            Err(_) => return self.wrong(element, "a priority is no number"),
        };
        let body = self.body(element, false);
        let Some(pattern) = pattern else {
            let place = self.add_template(body);
            return self.name(element, name, place);
        };
        let place = self.rule(pattern, mode, priority, body);
        self.name(element, name, place);
    }

    fn add_template(&mut self, body: Body) -> usize {
        self.sheet.templates.push(Template { body, precedence: self.precedence, lowest: self.lowest });
        self.sheet.templates.len() - 1
    }

    fn rule(&mut self, pattern: MatchPattern, mode: Option<QName>, priority: Option<f64>, body: Body) -> usize {
        let template = self.add_template(body);
        let rules = self.sheet.rules.entry(mode).or_default();
        rules.extend(pattern.alternatives().map(|(pattern, own)| Rule { pattern, priority: priority.unwrap_or(own), template }));
        template
    }

    fn name(&mut self, element: &Element, name: Option<QName>, place: usize) {
        let Some(name) = name else { return };
        match self.named.entry(name.clone()) {
            Entry::Occupied(there) if *there.get() > self.precedence => return,
            Entry::Occupied(there) if *there.get() == self.precedence => {
                return self.wrong(element, "two templates have the same name");
            }
            Entry::Occupied(mut there) => drop(there.insert(self.precedence)),
            Entry::Vacant(there) => drop(there.insert(self.precedence)),
        }
        self.sheet.named.insert(name, place);
    }

    fn key(&mut self, element: &Element) {
        let (Some(name), Some(matches), Some(by)) = (element.attribute("name"), element.attribute("match"), element.attribute("use"))
        else {
            return self.wrong(element, "a key needs name, match and use");
        };
        if let (Some(matches), Some(by)) = (self.pattern(element, matches), self.expression(element, by)) {
            self.sheet.keys.push(Key { name: name.trim().to_owned(), matches, by });
        }
    }

    fn spaces(&mut self, element: &Element) {
        let strips = element.name == "strip-space";
        for name in element.attribute("elements").unwrap_or_default().split_ascii_whitespace() {
            let test = match name.strip_suffix(":*") {
                Some(prefix) => self.namespace(element, prefix).map(SpaceTest::AnyOf),
                None if name == "*" => Some(SpaceTest::Any),
                None => self.qname(element, name).map(SpaceTest::Name),
            };
            self.sheet.spaces.extend(test.map(|test| Space { test, strips, precedence: self.precedence }));
        }
    }

    fn decimal_format(&mut self, element: &Element) {
        let mut format = DecimalFormat::default();
        let sign = |name: &str, sign: &mut char| {
            if let Some(own) = element.attribute(name).and_then(|text| text.chars().next()) {
                *sign = own;
            }
        };
        sign("decimal-separator", &mut format.decimal);
        sign("grouping-separator", &mut format.grouping);
        sign("percent", &mut format.percent);
        sign("per-mille", &mut format.per_mille);
        sign("zero-digit", &mut format.zero);
        sign("digit", &mut format.digit);
        sign("pattern-separator", &mut format.separator);
        sign("minus-sign", &mut format.minus);
        if let Some(text) = element.attribute("infinity") {
            text.clone_into(&mut format.infinity);
        }
        if let Some(text) = element.attribute("NaN") {
            text.clone_into(&mut format.not_a_number);
        }
        self.sheet.formats.insert(element.attribute("name").unwrap_or_default().trim().to_owned(), format);
    }

    fn attribute_set(&mut self, element: &Element) {
        let Some(name) = element.attribute("name").and_then(|name| self.qname(element, name)) else {
            return self.wrong(element, "an attribute set needs a name");
        };
        let uses = self.uses(element, element.attribute("use-attribute-sets"));
        let body = self.body(element, false);
        self.sheet.sets.entry(name).or_default().push(AttributeSet { uses, body });
    }

    fn alias(&mut self, element: &Element) {
        let side = |name: &str| {
            let prefix = element.attribute(name)?.trim();
            let prefix = if prefix == "#default" { "" } else { prefix };
            let uri = element.prefixes.iter().find(|(p, _)| p == prefix).map(|(_, uri)| Arc::clone(uri));
            Some((Arc::<str>::from(prefix), uri.unwrap_or_default()))
        };
        match (side("stylesheet-prefix"), side("result-prefix")) {
            (Some((_, from)), Some(to)) => drop(self.sheet.aliases.insert(from, to)),
            _ => self.wrong(element, "a namespace alias needs stylesheet-prefix and result-prefix"),
        }
    }

    pub(super) fn needed(&mut self, element: &Element, name: &str) -> Option<String> {
        let value = element.attribute(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        if value.is_none() {
            self.wrong(element, &format!("the attribute '{name}' is missing"));
        }
        value
    }

    pub(super) fn expression(&mut self, element: &Element, text: &str) -> Option<XPath> {
        match XPath::of_stylesheet(text, &element.prefixes) {
            Ok(path) => {
                let unknown: Vec<QName> = path.bound().into_iter().filter(|name| !self.scope.contains(name)).cloned().collect();
                unknown.iter().for_each(|name| self.used(element, Used::Variable, name));
                Some(path)
            }
            Err(why) => {
                self.wrong(element, &format!("in '{}' {why}", xml::shortened(text)));
                None
            }
        }
    }

    pub(super) fn pattern(&mut self, element: &Element, text: &str) -> Option<MatchPattern> {
        MatchPattern::compile(text, &element.prefixes)
            .map_err(|why| self.wrong(element, &format!("in '{}' {why}", xml::shortened(text))))
            .ok()
    }

    pub(super) fn avt(&mut self, element: &Element, text: &str) -> Option<Avt> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, after) = rest.split_at(at);
            plain.push_str(before);
            if after.starts_with("{{") || after.starts_with("}}") {
                plain.push_str(after.get(..1).unwrap_or_default());
                rest = after.get(2..).unwrap_or_default();
                continue;
            }
            let Some(end) = after.strip_prefix('{').and_then(closing) else {
                self.wrong(element, &format!("the braces in '{}' do not fit", xml::shortened(text)));
                return None;
            };
            if !plain.is_empty() {
                parts.push(Part::Plain(std::mem::take(&mut plain)));
            }
            parts.push(Part::Made(self.expression(element, after.get(1..=end).unwrap_or_default())?));
            rest = after.get(end + 2..).unwrap_or_default();
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Plain(plain));
        }
        Some(Avt { parts })
    }

    fn namespace(&mut self, element: &Element, prefix: &str) -> Option<Arc<str>> {
        let found = element.prefixes.iter().find(|(p, _)| p == prefix).map(|(_, uri)| Arc::clone(uri));
        if found.is_none() {
            self.wrong(element, &format!("the prefix '{}' is not declared", xml::shortened(prefix)));
        }
        found
    }

    pub(super) fn qname(&mut self, element: &Element, text: &str) -> Option<QName> {
        match text.trim().split_once(':') {
            Some((prefix, name)) => Some((Some(self.namespace(element, prefix)?), Arc::from(name))),
            None => Some((None, Arc::from(text.trim()))),
        }
    }

    pub(super) fn used(&mut self, element: &Element, what: Used, name: &QName) {
        let mut bare = element.clone();
        bare.children.clear();
        self.unproved.push(Unproved { file: self.work.file(), element: bare, what, name: name.clone() });
    }

    /// Makes sure that what is named is there.
    fn prove(&mut self) {
        for Unproved { file, element, what, name } in std::mem::take(&mut self.unproved) {
            let (there, kind) = match what {
                Used::Variable => (self.sheet.globals.iter().any(|global| global.variable.name == name), "variable"),
                Used::Template => (self.sheet.named.contains_key(&name), "template"),
                Used::AttributeSet => (self.sheet.sets.contains_key(&name), "attribute set"),
            };
            if !there {
                let outer = self.work.enter(&file);
                self.wrong_but(&element, &format!("there is no {kind} '{}'", name.1), "Add it, or mend its name.");
                self.work.enter(&outer);
            }
        }
    }
}

/// Where the expression that a brace began ends; braces inside quotes are text.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '}') => return Some(at),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    None
}

/// Namespaces that an element keeps out of the result.
pub(super) fn excluded(element: &Element) -> Vec<Arc<str>> {
    let names = |name: &str| {
        let wanted = if is_xsl(element) { None } else { Some(XSL) };
        element.attributes.iter().find(|a| a.name == name && a.namespace.as_deref() == wanted).map_or("", |a| a.value.as_str())
    };
    [names("exclude-result-prefixes"), names("extension-element-prefixes")]
        .into_iter()
        .flat_map(str::split_ascii_whitespace)
        .map(|prefix| if prefix == "#default" { "" } else { prefix })
        .filter_map(|prefix| element.prefixes.iter().find(|(p, _)| p == prefix).map(|(_, uri)| Arc::clone(uri)))
        .collect()
}
