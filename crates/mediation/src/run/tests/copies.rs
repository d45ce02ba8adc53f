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

/// What a request sequence sends off, and what an answer sequence makes of the answers that `answer` gives.
fn scattered(
    request: &str,
    response: &str,
    library: &Library,
    message: &mut Message,
    answer: impl Fn(&CallRequest) -> String,
) -> (Vec<String>, End) {
    let ran = program(&sequence(request), library).run(message, &Limits::default());
    assert!(matches!(ran.end, End::Drop), "{:?}", ran.end);
    let sent = message.take_sent();
    let places = sent.iter().map(|sent| sent.request.target.as_ref().map_or_else(|| "backend".to_owned(), |t| t.uri.clone())).collect();
    let answers: Vec<Message> = sent
        .into_iter()
        .filter(|sent| sent.awaited)
        .map(|Sent { request, mut message, .. }| {
            let body = answer(&request);
            let kind = if body.starts_with('<') { "application/xml" } else { "application/json" };
            message.begin_answer(200, [("Content-Type", kind)].into_iter().collect(), Payload::whole(body.into()));
            message
        })
        .collect();
    let ran = program(&sequence(response), library).gather(answers, message, &Limits::default());
    (places, ran.end)
}

#[test]
fn copies_are_sent_off_and_their_answers_brought_together() {
    let none = Library::new();
    let each = "<iterate expression='json-eval($.items)'><target><sequence><property name='uri.var.id' expression='json-eval($.id)'/>\
                <send><endpoint><http method='post' uri-template='http://h/{uri.var.id}'/></endpoint></send></sequence></target></iterate>";
    let says = |request: &CallRequest| format!("{{\"place\":\"{}\"}}", request.target.as_ref().unwrap().uri);
    let gather = "<property name='each' expression='json-eval($.place)'/><aggregate><onComplete expression='json-eval($.place)'>\
                  <property name='whole' expression='json-eval($[1])'/><send/></onComplete></aggregate><property name='never' value='1'/>";
    let mut one = message(JSON.0, JSON.1);
    let (places, end) = scattered(each, gather, &none, &mut one, says);
    assert!(matches!(end, End::Respond), "{end:?}");
    assert_eq!(places, ["http://h/1", "http://h/2"]);
    assert_eq!(body(&one), "[\"http://h/1\",\"http://h/2\"]");
    assert_eq!((property(&one, "whole"), property(&one, "never")), ("http://h/2".to_owned(), "(none)".to_owned()));
    // An onComplete that does not answer lets the whole go on.
    let mut two = message(JSON.0, JSON.1);
    let on = "<out><aggregate><onComplete expression='json-eval($.place)'/></aggregate></out><property name='after' value='1'/>";
    let (_, end) = scattered(each, on, &none, &mut two, says);
    assert!(matches!(end, End::Continue), "{end:?}");
    assert_eq!((body(&two).as_str(), property(&two, "after").as_str()), ("[\"http://h/1\",\"http://h/2\"]", "1"));
    // Nothing brings them together: they come through, the first first.
    let mut three = message(JSON.0, JSON.1);
    let (_, end) = scattered(each, "<property name='seen' value='1'/>", &none, &mut three, says);
    let End::Several(through) = end else { panic!("{end:?}") };
    assert_eq!(through.len(), 2);
    assert_eq!(
        (through[0].payload.bytes().unwrap(), property(&through[0], "seen")),
        (Bytes::from("{\"place\":\"http://h/1\"}"), "1".to_owned())
    );
    // The first that answers by itself is the answer.
    let mut four = message(JSON.0, JSON.1);
    let (_, end) = scattered(
        each,
        "<filter source='json-eval($.place)' regex='.*2'><then><respond/></then><else><drop/></else></filter>",
        &none,
        &mut four,
        says,
    );
    assert!(matches!(end, End::Respond), "{end:?}");
    assert_eq!(four.payload.bytes().unwrap(), "{\"place\":\"http://h/2\"}");
    // A failure is the whole message's.
    let mut five = message(JSON.0, JSON.1);
    let (_, end) = scattered(each, "<property name='a' expression='//x'/>", &none, &mut five, |_| "{torn".to_owned());
    assert!(matches!(end, End::Fault(_)), "{end:?}");
}

#[test]
fn targets_name_their_endpoints() {
    let library = Library::new()
        .with_endpoint("b", Source::new("b.xml", "<endpoint name='b'><address uri='http://b/x'/></endpoint>"))
        .with_sequence("stamp", Source::new("stamp.xml", sequence("<property name='X-Stamp' value='1' scope='transport'/>")));
    let clone = "<clone><target endpoint='b'/><target sequence='stamp'><endpoint><address uri='http://c'/></endpoint></target><target><sequence><property name='OUT_ONLY' value='true'/><send/></sequence></target></clone>";
    let mut one = message(XML.0, XML.1);
    let says = |request: &CallRequest| format!("<o><r s='{}'/></o>", request.headers.get("X-Stamp").unwrap_or("none"));
    let gather = "<property name='all' type='OM'><all xmlns=''/></property><aggregate><completeCondition><messageCount min='-1' max='-1'/></completeCondition>\
                  <onComplete expression='//r' enclosingElementProperty='all'><respond/></onComplete></aggregate>";
    let (places, end) = scattered(clone, gather, &library, &mut one, says);
    assert!(matches!(end, End::Respond), "{end:?}");
    assert_eq!(places, ["http://b/x/menu?size=2", "http://c/menu?size=2", "backend"]);
    assert_eq!(body(&one), "<all><r s=\"none\"/><r s=\"1\"/></all>");
}

#[test]
fn an_aggregate_may_stand_where_the_answers_go() {
    let gather = "<aggregate><onComplete expression='json-eval($.p)'/></aggregate><property name='after' value='1'/><respond/>";
    let library = Library::new().with_sequence("got", Source::new("got.xml", sequence(gather)));
    let each = "<iterate expression='json-eval($.items)'><target><sequence><send receive='got'><endpoint><http method='post' uri-template='http://h'/></endpoint></send></sequence></target></iterate><property name='never' value='1'/>";
    let mut one = message(JSON.0, JSON.1);
    let (called, end) = answered(each, &library, &mut one, echo);
    assert!(matches!(end, End::Respond) && called.len() == 2, "{end:?}");
    assert_eq!((body(&one).as_str(), property(&one, "after").as_str(), property(&one, "never").as_str()), ("[2.50,3]", "1", "(none)"));
    // Inside the copies' own sequence.
    let inside = format!(
        "<iterate expression='json-eval($.items)'><target><sequence>{}<aggregate><onComplete expression='json-eval($.p)'/></aggregate><property name='in' value='1'/></sequence></target></iterate><property name='behind' value='1'/>",
        http("http://h")
    );
    let mut two = message(JSON.0, JSON.1);
    let (_, end) = answered(&inside, &library, &mut two, echo);
    assert!(matches!(end, End::Continue), "{end:?}");
    assert_eq!((body(&two).as_str(), property(&two, "in").as_str(), property(&two, "behind").as_str()), ("[2.50,3]", "1", "1"));
    // A message that is no copy goes on.
    let mut three = message(JSON.0, JSON.1);
    assert!(matches!(run(gather, &mut three).end, End::Respond));
    assert_eq!(body(&three), "(untouched)");
}

#[test]
fn the_message_goes_on_beside_what_was_sent_off() {
    let beside = "<clone continueParent='true'><target><sequence><payloadFactory media-type='json'><format>{\"seen\":1}</format><args/></payloadFactory>\
                  <send><endpoint><address uri='http://log'/></endpoint></send><log level='custom'/></sequence></target></clone><property name='on' value='1'/>";
    let mut one = message(JSON.0, JSON.1);
    assert!(matches!(run(beside, &mut one).end, End::Continue));
    let sent = one.take_sent();
    assert_eq!((sent.len(), sent[0].request.body.clone().unwrap()), (1, Bytes::from("{\"seen\":1}")));
    assert_eq!((body(&one).as_str(), property(&one, "on").as_str()), ("(untouched)", "1"));
    assert!(one.take_sent().is_empty());
    // Of an answer too, which is the client's all the same.
    let mut answer = message(JSON.0, JSON.1);
    answer.begin_answer(200, [("Content-Type", "application/json")].into_iter().collect(), Payload::whole("{\"a\":1}".into()));
    answer.method = "GET".to_owned();
    let beside_answer = "<clone continueParent='true'><target><sequence><send><endpoint><address uri='http://log'/></endpoint></send></sequence></target></clone>";
    assert!(matches!(run(beside_answer, &mut answer).end, End::Continue));
    let sent = answer.take_sent();
    assert_eq!((sent[0].request.method.as_str(), sent[0].request.body.clone().unwrap()), ("POST", Bytes::from("{\"a\":1}")));
    // Of programs that run one after the other.
    let again = program(&sequence(beside), &Library::new());
    assert!(matches!(again.run(&mut one, &Limits::default()).end, End::Continue));
    assert!(matches!(again.run(&mut one, &Limits::default()).end, End::Continue));
    assert_eq!(one.take_sent().len(), 2);
    let many: String = (0..101).map(|i| format!("{{\"i\":{i}}},")).collect();
    let mut two = message("application/json", &format!("{{\"items\":[{}]}}", many.trim_end_matches(',')));
    let each = "<iterate expression='json-eval($.items)'><target><sequence><send/></sequence></target></iterate>";
    let End::Fault(fault) = run(each, &mut two).end else { panic!() };
    assert_eq!(fault.message, "The sequence made too many calls");
}

#[test]
fn the_rest_of_the_body_may_go_along_with_each_part() {
    let bodies = |attributes: &str, kind: (&str, &str)| {
        let each = format!("<iterate preservePayload='true' {attributes}><target><sequence><send/></sequence></target></iterate>");
        let mut one = message(kind.0, kind.1);
        assert!(matches!(run(&each, &mut one).end, End::Drop));
        let body = |sent: &Sent| String::from_utf8(sent.request.body.clone().unwrap().to_vec()).unwrap();
        one.take_sent().iter().map(body).collect::<Vec<_>>()
    };
    let xml = ("application/xml", "<r><head>h</head><list><i>1</i><i>2</i></list></r>");
    assert_eq!(
        bodies("expression='//i' attachPath='//list'", xml),
        ["<r><head>h</head><list><i>1</i></list></r>", "<r><head>h</head><list><i>2</i></list></r>"]
    );
    let json = ("application/json", "{\"head\":\"h\",\"list\":[1,2]}");
    assert_eq!(
        bodies("expression='json-eval($.list)' attachPath='json-eval($.list)'", json),
        ["{\"head\":\"h\",\"list\":1}", "{\"head\":\"h\",\"list\":2}"]
    );
    let soap =
        ("text/xml", "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body><r><i>1</i></r></s:Body></s:Envelope>");
    assert!(bodies("expression='//i'", soap)[0].contains("<s:Body><r/><i>1</i></s:Body>"));
    let text = sequence("<iterate preservePayload='true' expression='//i' attachPath='json-eval($)'><target sequence='x'/></iterate>");
    let library = Library::new().with_sequence("x", Source::new("x", "<sequence/>"));
    let found = compile(&Source::new("s.xml", text), &library).unwrap_err();
    assert!(found[0].reason.contains("different kinds"), "{found:?}");
}
