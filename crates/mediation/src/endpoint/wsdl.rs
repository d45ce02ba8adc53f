//! The address of a service that a WSDL describes. The WSDL has to be at hand, inline or in the library: nothing is fetched.

use crate::compile::Work;
use crate::xml::{self, Element};

/// The address that a `<wsdl>` endpoint means; `None` after an obstacle was noted.
pub(super) fn address(work: &mut Work<'_>, mediator: &Element, kind: &Element) -> Option<String> {
    let uri = kind.attribute("uri").map(str::trim).unwrap_or_default();
    let inline = kind.elements().find(|e| matches!(e.name.as_str(), "definitions" | "description")).cloned();
    let document = inline.or_else(|| work.library.entry(uri).and_then(|source| xml::read(&source.text).ok()));
    let Some(document) = document else {
        work.obstacle(
            mediator,
            uri,
            "The endpoint's address is in a WSDL elsewhere, which is not fetched here.",
            "Write the address of the port as an <address> endpoint, or the WSDL into the endpoint.",
        );
        return None;
    };
    let found = location(&document, kind.attribute("service"), kind.attribute("port"));
    if found.is_none() {
        work.obstacle(mediator, uri, "The WSDL has no address for this service and port.", "Write the address as an <address> endpoint.");
    }
    found
}

/// WSDL 1.1 says `port` and `location`, WSDL 2.0 `endpoint` and `address`.
fn location(document: &Element, service: Option<&str>, port: Option<&str>) -> Option<String> {
    let named = |element: &Element, wanted: Option<&str>| wanted.is_none_or(|wanted| element.attribute("name") == Some(wanted.trim()));
    let services = document.elements().filter(|e| e.name == "service" && named(e, service));
    services.flat_map(Element::elements).filter(|e| matches!(e.name.as_str(), "port" | "endpoint") && named(e, port)).find_map(|port| {
        let inner = port.elements().find(|e| e.name == "address").and_then(|e| e.attribute("location"));
        inner.or_else(|| port.attribute("address")).map(|found| found.trim().to_owned())
    })
}
