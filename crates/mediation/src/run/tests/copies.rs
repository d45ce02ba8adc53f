//! Copies of a message that call, and what is made of their answers.

use super::*;

/// Runs it, with `answer` for every call; the addresses called in order, and the end.
fn answered(
    inner: &str,
    library: &Library,
    message: &mut Message,
    answer: impl Fn(&CallRequest) -> Result<String, Fault>,
) -> (Vec<String>, End) {
    let mut called = Vec::new();
    let mut ran = program(&sequence(inner), library).run(message, &Limits::default());
    loop {
        let End::Call(call) = ran.end else { return (called, ran.end) };
        called.push(call.request.target.as_ref().map_or_else(|| "backend".to_owned(), |target| target.uri.clone()));
        let answer = answer(&call.request).map(|body| Answer {
            status: 200,
            headers: [("Content-Type", if body.starts_with('<') { "application/xml" } else { "application/json" })].into_iter().collect(),
            body: Bytes::from(body),
        });
        message.now += std::time::Duration::from_secs(1);
        ran = call.resume.resume(message, answer);
    }
}

fn echo(request: &CallRequest) -> Result<String, Fault> {
    Ok(String::from_utf8(request.body.clone().unwrap().to_vec()).unwrap())
}

fn http(uri: &str) -> String {
    format!("<call><endpoint><http method='post' uri-template='{uri}'/></endpoint></call>")
}

#[test]
fn answers_to_copies_are_brought_together() {
    let none = Library::new();
    let each = format!(
        "<iterate expression='json-eval($.items)'><target><sequence><property name='uri.var.id' expression='json-eval($.id)'/>{}</sequence></target></iterate>
        <property name='seen' expression='json-eval($.p)'/>",
        http("http://h/{uri.var.id}")
    );
    let gather = |rest: &str| {
        format!("<aggregate>{rest}<onComplete expression='json-eval($.p)'><property name='in' value='1'/></onComplete></aggregate>")
    };
    let after = "<property name='after' expression='json-eval($[0])'/>";
    for (condition, whole, calls) in [
        ("", "[2.50,3]", 2),
        ("<completeCondition><messageCount min='-1' max='1'/></completeCondition>", "[2.50]", 2),
        ("<completeCondition timeout='1'><messageCount min='-1' max='-1'/></completeCondition>", "[2.50]", 1),
        ("<correlateOn expression='$ctx:REST'/>", "[2.50,3]", 2),
    ] {
        let mut one = message(JSON.0, JSON.1);
        let (called, end) = answered(&format!("{each}{}{after}", gather(condition)), &none, &mut one, echo);
        assert!(matches!(end, End::Continue), "{condition}: {end:?}");
        assert_eq!(called, ["http://h/1", "http://h/2"][..calls]);
        assert_eq!((body(&one).as_str(), property(&one, "after").as_str()), (whole, "2.50"), "{condition}");
        assert_eq!((property(&one, "in"), property(&one, "seen")), ("1".to_owned(), "2.50".to_owned()));
    }
    // Nothing to go over: nothing comes, and nothing goes on.
    let mut two = message("application/json", "{\"items\":[]}");
    let (called, end) = answered(&format!("{each}{}{after}", gather("")), &none, &mut two, echo);
    assert!(called.is_empty() && matches!(end, End::Drop));
    let mut three = message(JSON.0, JSON.1);
    let (_, end) = answered(&format!("{each}{}", gather("<correlateOn expression='json-eval($.id)'/>")), &none, &mut three, echo);
    let End::Fault(fault) = end else { panic!("{end:?}") };
    assert_eq!((fault.message.as_str(), fault.code), ("The answers to be aggregated do not belong together", 0));
    assert_eq!(three.url_postfix, "/menu?size=2");
}

#[test]
fn clones_call_each_their_own_and_xml_is_enclosed() {
    let library = Library::new().with_sequence("b", Source::new("b.xml", sequence(&http("http://b"))));
    let inner = format!(
        "<property name='all' type='OM'><all xmlns=''/></property><clone><target><sequence>{}</sequence></target><target sequence='b'/></clone>
        <aggregate><onComplete expression='//r' enclosingElementProperty='all'><property name='HTTP_SC' value='207' scope='axis2'/><respond/></onComplete></aggregate>
        <property name='never' value='1'/>",
        http("http://a")
    );
    let mut one = message(XML.0, XML.1);
    let says = |request: &CallRequest| Ok(format!("<o><r>{}</r></o>", request.target.as_ref().unwrap().uri));
    let (called, end) = answered(&inner, &library, &mut one, says);
    assert!(matches!(end, End::Respond), "{end:?}");
    assert_eq!(called, ["http://a", "http://b"]);
    assert_eq!((body(&one).as_str(), one.status), ("<all><r>http://a</r><r>http://b</r></all>", Some(207)));
    assert_eq!(property(&one, "never"), "(none)");
    // A call that fails fails the message, which is as it was.
    let mut two = message(XML.0, XML.1);
    let down = Fault { code: 101_503, message: "Error connecting to the back end".to_owned(), detail: "refused".to_owned() };
    let (called, end) = answered(&inner, &library, &mut two, |_| Err(down.clone()));
    let End::Fault(fault) = end else { panic!("{end:?}") };
    assert_eq!((called.len(), fault.code, property(&two, "ERROR_CODE").as_str()), (1, 101_503, "101503"));
    assert!(fault.detail.starts_with("s.xml:1: <clone>: s.xml:1: <call>"), "{}", fault.detail);
    assert_eq!(body(&two), "(untouched)");
}

#[test]
fn loops_may_call_and_lie_in_each_other() {
    let none = Library::new();
    let mut one = message(JSON.0, JSON.1);
    let inner = format!("<foreach expression='json-eval($.items)'><sequence>{}</sequence></foreach>", http("http://h"));
    let (called, end) = answered(&inner, &none, &mut one, |_| Ok("{\"new\":1}".to_owned()));
    assert!(matches!(end, End::Continue) && called.len() == 2);
    assert_eq!(body(&one), "{\"name\":\"Ann\",\"items\":[{\"new\":1},{\"new\":1}],\"note\":null}");
    let mut two = message("application/json", "{\"a\":[[1,2],[3]]}");
    let gather = |with: &str| format!("<aggregate><onComplete expression='json-eval($)'>{with}</onComplete></aggregate>");
    let nested = format!(
        "<iterate expression='json-eval($.a)'><target><sequence><iterate expression='json-eval($)'><target><sequence>{}</sequence></target></iterate>{}</sequence></target></iterate>{}",
        http("http://h"),
        gather(""),
        gather("<log level='custom'/>")
    );
    let (called, end) = answered(&nested, &none, &mut two, echo);
    assert!(matches!(end, End::Continue), "{end:?}");
    assert_eq!((called.len(), body(&two).as_str()), (3, "[[1,2],[3]]"));
    // Answers that do not matter.
    let mut three = message(JSON.0, JSON.1);
    let beside = format!(
        "<clone continueParent='true'><target><sequence>{}<drop/></sequence></target></clone><property name='on' value='1'/>",
        http("http://log")
    );
    let (called, end) = answered(&beside, &none, &mut three, |_| Ok("{}".to_owned()));
    assert!(matches!(end, End::Continue) && called == ["http://log"]);
    assert_eq!((body(&three).as_str(), property(&three, "on").as_str()), ("(untouched)", "1"));
    // Calls are bounded.
    let many: String = (0..101).map(|i| format!("{{\"i\":{i}}},")).collect();
    let mut four = message("application/json", &format!("{{\"items\":[{}]}}", many.trim_end_matches(',')));
    let (called, end) = answered(&inner, &none, &mut four, echo);
    let End::Fault(fault) = end else { panic!("{end:?}") };
    assert_eq!((called.len(), fault.message.as_str()), (100, "The sequence made too many calls"));
}
