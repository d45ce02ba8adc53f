//! The gateway from outside: real sockets, a scripted backend, raw bytes where bytes matter.

mod bench;
mod calls;
mod framing;
mod support;
mod tls;
mod upstream;
