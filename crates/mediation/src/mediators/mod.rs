//! The mediators: each file compiles one from its element and runs it over a message.

pub(crate) mod address;
pub(crate) mod aggregate;
pub(crate) mod cache;
pub(crate) mod call;
pub(crate) mod class;
pub(crate) mod enrich;
pub(crate) mod evaluator;
pub(crate) mod header;
pub(crate) mod log;
pub(crate) mod loops;
pub(crate) mod make_fault;
pub(crate) mod payload_factory;
pub(crate) mod property;
pub(crate) mod rewrite;
pub(crate) mod route;
pub(crate) mod script;
pub(crate) mod template;
pub(crate) mod throttle;
pub(crate) mod unsupported;
pub(crate) mod validate;
pub(crate) mod xslt;
