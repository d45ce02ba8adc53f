//! Synapse sequences: reading them, telling a stock one from a customised one, and naming what is in them.
//!
//! Running sequences is not here yet, and nothing here pretends to: a [`Sequence`] is what was written, checked for being a sequence at all, not
//! for making sense. Until then who carries an installation over reports every attached sequence by its [`findings`].
//!
//! The XML comes from outside, so it is bounded in bytes, elements, attributes and depth, and a document type or an entity of its own is refused.

mod findings;
mod hash;
mod sequence;
mod xml;

pub use findings::{Finding, KNOWN_MEDIATORS, Standing, findings};
pub use hash::normalised_hash;
pub use sequence::{Branch, Mediator, Sequence, SequenceFault, parse};
pub use xml::{Attribute, Element, MAX_DEPTH, MAX_ELEMENTS, MAX_XML_BYTES, Node, XmlFault};
