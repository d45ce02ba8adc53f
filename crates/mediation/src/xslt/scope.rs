//! What the expressions of a transformation see beside its documents: variables, keys, the node it is at, formats of numbers.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::{DecimalFormat, Stylesheet};
use crate::message::{Scope as Properties, Value as Property};
use crate::tree::Tree;
use crate::xpath::{At, Context, Host, Item, QName, Run, Stopped, string_value};

type Index = Arc<BTreeMap<String, Vec<At>>>;

pub(super) struct Scope<'s> {
    sheet: &'s Stylesheet,
    /// Of all templates that run, the innermost last.
    variables: RefCell<Vec<(QName, Item)>>,
    /// Where those of the template that runs begin.
    base: Cell<usize>,
    pub(super) globals: RefCell<BTreeMap<QName, Item>>,
    /// An expression asked for a variable of the stylesheet that has no value yet.
    pub(super) waits: Cell<bool>,
    pub(super) at: Cell<At>,
    /// By tree and place of the key in the stylesheet.
    keys: RefCell<BTreeMap<(u16, usize), Index>>,
}

impl<'s> Scope<'s> {
    pub(super) fn new(sheet: &'s Stylesheet, tree: &Tree) -> Self {
        Self {
            sheet,
            variables: RefCell::default(),
            base: Cell::new(0),
            globals: RefCell::default(),
            waits: Cell::new(false),
            at: Cell::new(At { tree: 0, id: tree.document(), attribute: None }),
            keys: RefCell::default(),
        }
    }

    /// How many variables there are, for [`Scope::leave`].
    pub(super) fn depth(&self) -> usize {
        self.variables.borrow().len()
    }

    pub(super) fn bind(&self, name: QName, value: Item) {
        self.variables.borrow_mut().push((name, value));
    }

    /// Lets go of the variables since there were this many.
    pub(super) fn leave(&self, depth: usize) {
        self.variables.borrow_mut().truncate(depth);
    }

    /// Begins a template, which does not see the variables of the one that called it; gives what [`Scope::back`] needs.
    pub(super) fn begin(&self) -> usize {
        self.base.replace(self.depth())
    }

    pub(super) fn back(&self, base: usize) {
        self.leave(self.base.get());
        self.base.set(base);
    }

    /// Lets go of what is known of trees that are gone.
    pub(super) fn forget(&self, since: usize) {
        self.keys.borrow_mut().retain(|(tree, _), _| usize::from(*tree) < since);
    }

    fn index(&self, run: &Run<'_>, place: usize, tree: u16) -> Result<Index, Stopped> {
        if let Some(index) = self.keys.borrow().get(&(tree, place)) {
            return Ok(Arc::clone(index));
        }
        let Some(key) = self.sheet.keys.get(place) else { return Ok(Index::default()) };
        let document = run.tree(At { tree, ..self.at.get() });
        let mut index: BTreeMap<String, Vec<At>> = BTreeMap::new();
        let mut open = vec![document.document()];
        while let Some(id) = open.pop() {
            let attributes = document.tag(id).map_or(0, |tag| u16::try_from(tag.attributes.len()).unwrap_or(u16::MAX));
            for attribute in std::iter::once(None).chain((0..attributes).map(Some)) {
                let at = At { tree, id, attribute };
                run.pay(1)?;
                if !key.matches.matches(run, at)? {
                    continue;
                }
                match key.by.evaluate(run, &Context { at, position: 1, size: 1 })? {
                    Item::Nodes(nodes) => {
                        for by in nodes {
                            index.entry(string_value(&run.tree(by), by)).or_default().push(at);
                        }
                    }
                    other => index.entry(run.text(&other)?).or_default().push(at),
                }
            }
            open.extend(document.children(id).iter().rev());
        }
        let index = Arc::new(index);
        self.keys.borrow_mut().insert((tree, place), Arc::clone(&index));
        Ok(index)
    }
}

impl Host for Scope<'_> {
    fn property(&self, _scope: Properties, _name: &str) -> Option<Property> {
        None
    }

    fn get_property(&self, _scope: &str, _name: &str, _format: Option<&str>) -> Option<Property> {
        None
    }

    fn query(&self, _name: &str) -> String {
        String::new()
    }

    fn bound(&self, name: &QName) -> Result<Item, Stopped> {
        let variables = self.variables.borrow();
        let own = variables.get(self.base.get()..).unwrap_or_default();
        if let Some((_, value)) = own.iter().rev().find(|(own, _)| own == name) {
            return Ok(value.clone());
        }
        self.globals.borrow().get(name).cloned().ok_or_else(|| {
            self.waits.set(true);
            Stopped::Wrong("a variable needs its own value")
        })
    }

    fn current(&self) -> Result<At, Stopped> {
        Ok(self.at.get())
    }

    fn keyed(&self, run: &Run<'_>, key: &str, value: &str, tree: u16) -> Result<Vec<At>, Stopped> {
        let mut found = Vec::new();
        for (place, _) in self.sheet.keys.iter().enumerate().filter(|(_, own)| own.name == key.trim()) {
            found.extend(self.index(run, place, tree)?.get(value).into_iter().flatten());
        }
        Ok(found)
    }

    fn formatted(&self, number: f64, pattern: &str, format: Option<&str>) -> Result<String, Stopped> {
        let own = self.sheet.formats.get(format.unwrap_or_default().trim());
        match (own, format) {
            (Some(own), _) => own.format(number, pattern),
            (None, None) => DecimalFormat::default().format(number, pattern),
            (None, Some(_)) => Err("format-number() names a decimal format that is not there"),
        }
        .map_err(Stopped::Wrong)
    }
}
