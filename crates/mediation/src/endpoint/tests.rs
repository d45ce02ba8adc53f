//! Endpoints in, places out.

use super::*;
use crate::{Library, Source, compile};

fn library() -> Library {
    Library::new()
        .with_endpoint("A", Source::new("A.xml", "<endpoint><address uri='http://a'/></endpoint>"))
        .with_endpoint("loop", Source::new("l.xml", "<endpoint><failover><endpoint key='loop'/></failover></endpoint>"))
        .with_entry(
            "gov:/s.wsdl",
            Source::new(
                "s.wsdl",
                "<w:definitions xmlns:w='http://schemas.xmlsoap.org/wsdl/'><w:service name='S'><w:port name='P'><a location='no'/></w:port>
                <w:port name='Q'><s:address xmlns:s='u' location='http://soap/q'/></w:port></w:service></w:definitions>",
            ),
        )
}

fn sent(endpoint: &str, times: usize) -> Vec<Vec<String>> {
    let text = format!("<sequence><send><endpoint name='E'>{endpoint}</endpoint></send></sequence>");
    let program = Arc::new(compile(&Source::new("s.xml", text), &library()).unwrap());
    (0..times)
        .map(|_| {
            let mut message = Message::request("GET", "/x");
            let crate::End::Send(target) = program.run(&mut message, &crate::Limits::default()).end else { panic!("not sent") };
            std::iter::once(target.uri).chain(target.others.into_iter().map(|other| other.uri)).collect()
        })
        .collect()
}

fn refused(endpoint: &str) -> String {
    let text = format!("<sequence><send>{endpoint}</send></sequence>");
    compile(&Source::new("s.xml", text), &library()).unwrap_err().remove(0).reason
}

#[test]
fn groups_name_all_their_places() {
    let b = "<endpoint><http uri-template='http://b/{uri.var.none}'/></endpoint>";
    let c = "<endpoint><address uri='http://c'><timeout><duration>5</duration></timeout></address></endpoint>";
    assert_eq!(sent(&format!("<failover><endpoint key='A'/>{b}{c}</failover>"), 1), [["http://a", "http://b/", "http://c"]]);
    let turns = sent(&format!("<loadbalance><endpoint key='A'/>{b}{c}</loadbalance>"), 4);
    assert_eq!(turns[0], ["http://a", "http://b/", "http://c"]);
    assert_eq!(turns[1], ["http://b/", "http://c", "http://a"]);
    assert_eq!((turns[2][0].as_str(), &turns[3]), ("http://c", &turns[0]));
    let alone = sent(&format!("<loadbalance failover='false'><endpoint key='A'/>{c}</loadbalance>"), 2);
    assert_eq!(alone, [["http://a"], ["http://c"]]);
    let nested = format!("<failover><endpoint><loadbalance><endpoint key='A'/>{b}</loadbalance></endpoint>{c}</failover>");
    assert_eq!(sent(&nested, 2), [["http://a", "http://b/", "http://c"], ["http://b/", "http://a", "http://c"]]);
}

#[test]
fn a_wsdl_at_hand_gives_the_address() {
    assert_eq!(sent("<wsdl uri='gov:/s.wsdl' service='S' port='Q'/>", 1), [["http://soap/q"]]);
    let inline = "<wsdl service='S'><definitions><service name='S'><port name='P'><address location='http://in'/></port></service></definitions></wsdl>";
    assert_eq!(sent(inline, 1), [["http://in"]]);
    assert!(refused("<endpoint><wsdl uri='gov:/s.wsdl' service='S' port='P'/></endpoint>").contains("no address"));
    assert!(refused("<endpoint><wsdl uri='http://h/s?wsdl'/></endpoint>").contains("not fetched"));
}

#[test]
fn what_cannot_be_sent_to_is_refused() {
    for (endpoint, why) in [
        ("<endpoint><failover/></endpoint>", "one to 32"),
        ("<endpoint key='loop'/>", "too deep"),
        ("<endpoint key='none'/>", "No endpoint"),
        ("<endpoint key-expression='$ctx:e'/>", "chosen"),
        ("<endpoint><failover><endpoint><default/></endpoint></failover></endpoint>", "<default>"),
        (
            "<endpoint><failover><endpoint key='A'/><endpoint><http method='get' uri-template='http://b'/></endpoint></failover></endpoint>",
            "different verbs",
        ),
        ("<endpoint><recipientlist/></endpoint>", "recipientlist"),
    ] {
        let reason = refused(endpoint);
        assert!(reason.contains(why), "{endpoint}: {reason}");
    }
    let many = "<endpoint key='A'/>".repeat(20);
    let groups = format!("<endpoint><failover>{many}</failover></endpoint>").repeat(2);
    assert!(refused(&format!("<endpoint><failover>{groups}</failover></endpoint>")).contains("more than 32"));
}
