//! Synapse sequences: telling a stock one from a customised one, and running them over a message as the old product did.
//!
//! Three steps. [`normalised_hash`] says whether a document is a stock one. [`compile`] turns it, with all it names in a [`Library`], into a
//! [`Program`], or says by [`Obstacle`]s what cannot run here: nothing is skipped in silence. [`Program::run`] runs that over a [`Message`].
//!
//! Pure: no I/O, no clock, no randomness. What a sequence wants from outside is an effect handed to the caller: a log line, or an
//! [`End::Call`] that is resumed with the answer. A run is bounded by [`Limits`] in steps, depth, memory and output.
//!
//! The body stays bytes until a mediator looks inside, and [`Program::body_use`] says beforehand whether one ever does, so that a gateway
//! need not hold back what no sequence reads.
//!
//! ```
//! # use std::sync::Arc;
//! # use tidegate_mediation as mediation;
//! use mediation::{End, Library, Limits, Message, Scope, Source};
//!
//! // Once, when the API is deployed.
//! let text = "<sequence><property name='X-App' expression='$ctx:api.ut.consumerKey' scope='transport'/></sequence>";
//! let program = Arc::new(mediation::compile(&Source::new("gov:/in.xml", text), &Library::new()).expect("nothing in the way"));
//! assert!(!program.body_use().reads);
//!
//! // For each call. A body that the program does not read may stay where it is.
//! let mut message = Message::request("GET", "/pizza/1.0.0/menu");
//! message.payload = mediation::Payload::unread();
//! message.properties.set(Scope::Default, "api.ut.consumerKey", "k7");
//! let ran = program.run(&mut message, &Limits::default());
//! assert!(matches!(ran.end, End::Continue));
//! assert_eq!(message.headers.get("x-app"), Some("k7"));
//! assert_eq!(message.payload.rewritten(), None);
//! ```
//!
//! All XML comes from outside, so it is bounded in bytes, elements, attributes and depth, and a document type or an entity of its own is
//! refused.

mod body_use;
mod compile;
mod convert;
mod date;
mod endpoint;
mod expression;
mod failure;
mod hash;
mod json;
mod jsonpath;
mod kept;
mod leaving;
mod library;

mod limits;
mod log;
mod mediators;
mod message;
mod obstacle;
mod pattern;
mod program;
mod run;
mod tree;
mod xml;
mod xpath;
mod xslt;

pub use compile::compile;
pub use endpoint::{StandIn, Target};
pub use hash::normalised_hash;
pub use json::{Json, JsonFault};
pub use kept::is_registry_key;
pub use leaving::Leaving;
pub use library::{Dialect, Library, Source, beside};
pub use limits::Limits;
pub use log::{LogLevel, LogLine};
pub use message::{Direction, Fault, Headers, Message, Payload, Properties, Rewritten, Scope, UNREADABLE_BODY, Value, Xml};
pub use obstacle::{Note, Obstacle};
pub use program::{BodyUse, Program};
pub use run::{Answer, Call, CallRequest, End, Ran, Sent, Suspended};
pub use xml::{Attribute, Element, MAX_DEPTH, MAX_ELEMENTS, MAX_XML_BYTES, Node, XmlFault};
