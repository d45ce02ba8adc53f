//! Mediators that do not run here: why, and what to use instead.

use crate::compile::Work;
use crate::xml::Element;

/// Notes why a mediator does not run.
pub(crate) fn explain(work: &mut Work<'_>, element: &Element) {
    let subject = element
        .attribute("key")
        .or_else(|| element.attribute("name"))
        .or_else(|| element.attribute("target"))
        .unwrap_or_default()
        .to_owned();
    let (reason, suggestion) = match element.name.as_str() {
        "smooks" => (
            "There is no engine for this transformation that is kept well enough to be exposed to callers' documents.",
            "Transform with <payloadFactory>, <enrich> or <script>, or let the backend transform.",
        ),
        "xquery" => ("XQuery does not run here.", "Use <payloadFactory>, <enrich> or <script>."),
        "datamapper" | "jsontransform" => {
            ("The mapping's own language does not run here.", "Write the mapping as <payloadFactory> or <script>.")
        }
        "dblookup" | "dbreport" => {
            ("A sequence does not reach databases.", "Put a small service in front of the database and ask it with <call>.")
        }
        "store" | "enqueue" | "transaction" | "seda" => {
            ("There are no message stores or queues here.", "Send the message with <call> to a service that stores it.")
        }
        "event" | "publishEvent" | "bam" => (
            "Sequences do not publish events here.",
            "Tidegate records every call; for events of your own <call> a service that takes them.",
        ),
        "entitlementService" => {
            ("There is no entitlement service (XACML) here.", "Protect the resource with scopes, or <call> the service.")
        }
        "oauthService" => ("Tokens are checked before sequences run.", "Take the mediator out: the API's own security does this."),
        "ntlm" => ("NTLM towards backends does not run here.", "Put a proxy that speaks NTLM in front of the backend."),
        "router" => ("Routers do not run here.", "Use <switch> or <filter>."),
        "ejb" | "bean" | "pojoCommand" | "annotatedCommand" | "spring" => (
            "The mediator is Java code, which does not run here.",
            "Write what it does as mediators or a <script>, or move it into a service that the sequence calls.",
        ),
        "opa" => ("Decisions are not asked from a policy agent here.", "<call> the agent and decide with <filter>."),
        "rule" => ("Business rules do not run here.", "Use <switch>, <filter> or <script>."),
        name if name.contains('.') => ("Connectors do not run here.", "<call> the service's own API."),
        _ => ("Tidegate does not know this mediator.", "Take it out, or write what it does with mediators that run here."),
    };
    work.obstacle(element, &subject, reason, suggestion);
}
